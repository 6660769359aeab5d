// Only says where the module is; what it is made of stands in the file of each version: go test -modfile=1.24.mod
module podoctor.dev/kubectl-text/old

go 1.25.0
