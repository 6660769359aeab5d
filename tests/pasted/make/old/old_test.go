// Package oldkubectltext prints objects as a kubectl of years ago printed them: with its own describers, at the moment
// of each case. The objects are what ../make_test.go leaves in the folder OBJECTS, with the API server's defaults.
package oldkubectltext

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubectl/pkg/describe"
)

var described = []string{
	"Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job",
	"PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ResourceQuota", "LimitRange", "Node",
}

func TestMake(t *testing.T) {
	out, from := os.Getenv("OUT"), os.Getenv("OBJECTS")
	if out == "" || from == "" {
		t.Fatal("OUT names the folder to write to, OBJECTS the one with the objects")
	}
	files, err := filepath.Glob(filepath.Join(from, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no objects: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			var of struct {
				At      time.Time
				Objects []json.RawMessage
			}
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &of)
			}
			if err != nil {
				t.Fatal(err)
			}
			var said string
			synctest.Test(t, func(t *testing.T) {
				// In the bubble it is the year 2000, and sleeping takes no time.
				time.Sleep(time.Until(of.At))
				said = describeAll(t, of.Objects)
			})
			if err := os.MkdirAll(out, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(out, name+".txt"), []byte(said), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func describeAll(t *testing.T, objects []json.RawMessage) string {
	var all []runtime.Object
	client := fake.NewSimpleClientset()
	for _, text := range objects {
		one, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			continue
		}
		all = append(all, one)
		if err := client.Tracker().Add(one); err != nil {
			t.Logf("not added: %v", err)
		}
	}
	// The fake one selects no events by their object, so the object in question is told here.
	var about corev1.ObjectReference
	client.PrependReactor("list", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		list := &corev1.EventList{}
		for _, object := range all {
			event, ok := object.(*corev1.Event)
			if !ok {
				continue
			}
			of := event.InvolvedObject
			// As the API server does it: by kind, name, namespace and uid; a node's events carry its name as uid.
			sameUID := about.UID == "" || of.UID == "" || of.UID == about.UID || of.Kind == "Node"
			if of.Kind == about.Kind && of.Name == about.Name && of.Namespace == about.Namespace && sameUID {
				list.Items = append(list.Items, *event)
			}
		}
		return true, list, nil
	})
	client.PrependReactor("list", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		list := &corev1.PodList{}
		selected := action.(clienttesting.ListAction).GetListRestrictions()
		for _, object := range all {
			pod, ok := object.(*corev1.Pod)
			if !ok || (action.GetNamespace() != "" && pod.Namespace != action.GetNamespace()) {
				continue
			}
			set := fields.Set{"spec.nodeName": pod.Spec.NodeName, "status.phase": string(pod.Status.Phase), "metadata.name": pod.Name}
			if selected.Fields.Matches(set) && selected.Labels.Matches(labels.Set(pod.Labels)) {
				list.Items = append(list.Items, *pod)
			}
		}
		return true, list, nil
	})
	var text strings.Builder
	for _, kind := range described {
		for _, object := range all {
			accessor, err := meta.Accessor(object)
			if err != nil || object.GetObjectKind().GroupVersionKind().Kind != kind {
				continue
			}
			describer := describerFor(kind, client)
			about = corev1.ObjectReference{Kind: kind, Name: accessor.GetName(), Namespace: accessor.GetNamespace(), UID: accessor.GetUID()}
			if mirror, ok := accessor.GetAnnotations()[corev1.MirrorPodAnnotationKey]; ok {
				about.UID = types.UID(mirror)
			}
			said := safely(t, func() (string, error) {
				return describer.Describe(accessor.GetNamespace(), accessor.GetName(), describe.DescriberSettings{ShowEvents: true})
			})
			namespace := ""
			if accessor.GetNamespace() != "" {
				namespace = " -n " + accessor.GetNamespace()
			}
			fmt.Fprintf(&text, "$ kubectl describe %s %s%s\n%s\n", strings.ToLower(kind), accessor.GetName(), namespace, said)
		}
	}
	return text.String()
}

func describerFor(kind string, client kubernetes.Interface) describe.ResourceDescriber {
	describers := map[string]describe.ResourceDescriber{
		"Pod":                   &describe.PodDescriber{},
		"ReplicationController": &describe.ReplicationControllerDescriber{},
		"ReplicaSet":            &describe.ReplicaSetDescriber{},
		"StatefulSet":           &describe.StatefulSetDescriber{},
		"Deployment":            &describe.DeploymentDescriber{},
		"Job":                   &describe.JobDescriber{},
		"DaemonSet":             &describe.DaemonSetDescriber{},
		"Node":                  &describe.NodeDescriber{},
		"PersistentVolumeClaim": &describe.PersistentVolumeClaimDescriber{},
		"PersistentVolume":      &describe.PersistentVolumeDescriber{},
		"StorageClass":          &describe.StorageClassDescriber{},
		"ResourceQuota":         &describe.ResourceQuotaDescriber{},
		"LimitRange":            &describe.LimitRangeDescriber{},
	}
	describer := describers[kind]
	// Some keep their client in a public field, some in one of their own; it is the first one of each.
	field := reflect.ValueOf(describer).Elem().Field(0)
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(client))
	return describer
}

func safely(t *testing.T, describe func() (string, error)) (said string) {
	defer func() {
		if fault := recover(); fault != nil {
			t.Logf("kubectl itself panics: %v", fault)
			said = ""
		}
	}()
	said, err := describe()
	if err != nil {
		t.Logf("%v", err)
	}
	return said
}
