//go:build kubelet

package main

import (
	"context"

	"github.com/spf13/cobra"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// The kubelet costs another minute of building and is of use only beside a container runtime: go build -tags kubelet.
func init() {
	parts["kubelet"] = run(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })
}
