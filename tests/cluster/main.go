// Command control-plane is a whole Kubernetes control plane in one file, for tests.
//
// It is what its name says, as busybox is: called (or linked) as "kube-apiserver" it is the API server. When its own
// name says nothing, its first argument names the part. So a folder of links to it serves as KUBEBUILDER_ASSETS too.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var parts = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          run(apiserver.NewAPIServerCommand),
	"kube-controller-manager": run(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
}

func main() {
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		part()
		return
	}
	if len(os.Args) > 1 {
		if part, ok := parts[os.Args[1]]; ok {
			// Each part reads os.Args itself, so it has to find its own name first there.
			os.Args = os.Args[1:]
			part()
			return
		}
	}
	var names []string
	for name := range parts {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "usage: control-plane PART [FLAGS], or a link named as the part: %s\n", strings.Join(names, ", "))
	os.Exit(2)
}

func run(command func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(command())) }
}
