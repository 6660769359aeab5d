// Package kubectltext prints the objects of tests/cases as kubectl prints them: with kubectl's own describers and the
// API server's own tables, at the moment of each case.
//
// It is a test only because testing/synctest gives a clock that can be put to any moment: kubectl prints ages.
package kubectltext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubectl/pkg/describe"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	k8sprinters "k8s.io/kubernetes/pkg/printers"
	printersinternal "k8s.io/kubernetes/pkg/printers/internalversion"
)

// What is described, in the order in which a person would.
var described = []string{
	"Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job", "CronJob",
	"PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ResourceQuota", "LimitRange", "Node",
}

// What is listed, by the word for it.
var listed = map[string]string{
	"Pod": "pods", "Node": "nodes", "Event": "events", "PersistentVolumeClaim": "pvc", "Deployment": "deployments",
	"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "Job": "jobs",
}

func TestMake(t *testing.T) {
	out := os.Getenv("OUT")
	if out == "" {
		t.Fatal("OUT names the folder to write to")
	}
	cases, err := filepath.Glob("../../cases/*/expected.json")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, expected := range cases {
		folder := filepath.Dir(expected)
		t.Run(filepath.Base(folder), func(t *testing.T) { make_(t, folder, out) })
	}
}

func make_(t *testing.T, folder, out string) {
	var want struct{ At time.Time }
	text, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	objects := read(t, folder)
	var describes, tables string
	synctest.Test(t, func(t *testing.T) {
		// In the bubble it is the year 2000, and sleeping takes no time.
		time.Sleep(time.Until(want.At))
		describes = describeAll(t, objects)
		tables = listAll(t, objects)
	})
	name := filepath.Base(folder)
	write(t, filepath.Join(out, "describe", name+".txt"), describes+logs(t, folder))
	write(t, filepath.Join(out, "get", name+".txt"), tables)
	if objectsOut := os.Getenv("OBJECTS"); objectsOut != "" {
		write(t, filepath.Join(objectsOut, name+".json"), defaulted(t, want.At, objects))
	}
}

// defaulted returns the objects for the makers of older text, which have no defaults of their own.
func defaulted(t *testing.T, at time.Time, objects []*unstructured.Unstructured) string {
	all := struct {
		At      time.Time
		Objects []runtime.Object
	}{At: at}
	for i, object := range objects {
		if one, ok := typed(object); ok {
			if event, isEvent := one.(*corev1.Event); isEvent && event.Name == "" {
				event.Name = fmt.Sprintf("event-%d", i)
			}
			all.Objects = append(all.Objects, one)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, folder string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	files, _ := filepath.Glob(filepath.Join(folder, "*.yaml"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 1<<20)
		for {
			object := map[string]any{}
			if err := decoder.Decode(&object); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if len(object) == 0 {
				continue
			}
			one := &unstructured.Unstructured{Object: object}
			if one.IsList() {
				_ = one.EachListItem(func(item runtime.Object) error {
					found = append(found, item.(*unstructured.Unstructured))
					return nil
				})
				continue
			}
			found = append(found, one)
		}
	}
	return found
}

// typed returns the object as its Go type, with what the API server fills in.
func typed(object *unstructured.Unstructured) (runtime.Object, bool) {
	text, err := object.MarshalJSON()
	if err != nil {
		return nil, false
	}
	// Old dumps name groups of their day; the kind and the shape are what matters.
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil, false
	}
	legacyscheme.Scheme.Default(decoded)
	return decoded, true
}

func describeAll(t *testing.T, objects []*unstructured.Unstructured) string {
	var all []runtime.Object
	for _, object := range objects {
		if one, ok := typed(object); ok {
			if event, isEvent := one.(*corev1.Event); isEvent && event.Name == "" {
				event.Name = fmt.Sprintf("event-%d", len(all))
			}
			all = append(all, one)
		} else {
			t.Logf("not described: %s %s", object.GetKind(), object.GetName())
		}
	}
	client := fake.NewClientset()
	for _, object := range all {
		if err := client.Tracker().Add(object); err != nil {
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
			gvk := object.GetObjectKind().GroupVersionKind()
			accessor, err := meta.Accessor(object)
			if err != nil || gvk.Kind != kind {
				continue
			}
			describer := describerFor(gvk.GroupKind(), client)
			if describer == nil {
				continue
			}
			about = corev1.ObjectReference{Kind: kind, Name: accessor.GetName(), Namespace: accessor.GetNamespace(), UID: accessor.GetUID()}
			if mirror, ok := accessor.GetAnnotations()[corev1.MirrorPodAnnotationKey]; ok {
				about.UID = types.UID(mirror)
			}
			said := safely(t, func() (string, error) {
				return describer.Describe(accessor.GetNamespace(), accessor.GetName(), describe.DescriberSettings{ShowEvents: true, ChunkSize: 500})
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

func describerFor(kind schema.GroupKind, client kubernetes.Interface) describe.ResourceDescriber {
	switch kind.Kind {
	case "Pod":
		return &describe.PodDescriber{Interface: client}
	case "ReplicationController":
		return &describe.ReplicationControllerDescriber{Interface: client}
	case "ReplicaSet":
		return &describe.ReplicaSetDescriber{Interface: client}
	case "StatefulSet":
		describer := &describe.StatefulSetDescriber{}
		setClient(describer, client)
		return describer
	case "Deployment":
		describer := &describe.DeploymentDescriber{}
		setClient(describer, client)
		return describer
	case "CronJob":
		describer := &describe.CronJobDescriber{}
		setClient(describer, client)
		return describer
	case "Job":
		return &describe.JobDescriber{Interface: client}
	case "DaemonSet":
		return &describe.DaemonSetDescriber{Interface: client}
	case "Node":
		return &describe.NodeDescriber{Interface: client}
	case "PersistentVolumeClaim":
		return &describe.PersistentVolumeClaimDescriber{Interface: client}
	case "PersistentVolume":
		return &describe.PersistentVolumeDescriber{Interface: client}
	case "StorageClass":
		return &describe.StorageClassDescriber{Interface: client}
	case "ResourceQuota":
		return &describe.ResourceQuotaDescriber{Interface: client}
	case "LimitRange":
		return &describe.LimitRangeDescriber{Interface: client}
	}
	return nil
}

// setClient fills the one field of a describer that kubectl keeps to itself.
func setClient(describer any, client kubernetes.Interface) {
	field := reflect.ValueOf(describer).Elem().FieldByName("client")
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(client))
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

func listAll(t *testing.T, objects []*unstructured.Unstructured) string {
	generator := k8sprinters.NewTableGenerator().With(printersinternal.AddHandlers)
	var text strings.Builder
	for _, kind := range append(append([]string{}, described...), "Event") {
		word, ok := listed[kind]
		if !ok {
			continue
		}
		table := &metav1.Table{}
		for _, object := range objects {
			if object.GetKind() != kind {
				continue
			}
			one, ok := typed(object)
			if !ok {
				continue
			}
			internal, err := legacyscheme.Scheme.ConvertToVersion(one, schema.GroupVersion{Group: one.GetObjectKind().GroupVersionKind().Group, Version: runtime.APIVersionInternal})
			if err != nil {
				t.Logf("%s: %v", kind, err)
				continue
			}
			rows, err := generator.GenerateTable(internal, k8sprinters.GenerateOptions{Wide: true})
			if err != nil {
				t.Logf("%s: %v", kind, err)
				continue
			}
			table.ColumnDefinitions = rows.ColumnDefinitions
			for _, row := range rows.Rows {
				row.Object.Object = one
				table.Rows = append(table.Rows, row)
			}
		}
		if len(table.Rows) == 0 {
			continue
		}
		wide := slices.Contains([]string{"Pod", "Node", "Event"}, kind)
		printed := &bytes.Buffer{}
		writer := printers.GetNewTabWriter(printed)
		options := printers.PrintOptions{Wide: wide, WithNamespace: kind != "Node"}
		if err := printers.NewTablePrinter(options).PrintObj(table, writer); err != nil {
			t.Logf("%s: %v", kind, err)
		}
		_ = writer.Flush()
		flags := ""
		if kind != "Node" {
			flags = " -A"
		}
		if wide {
			flags += " -o wide"
		}
		fmt.Fprintf(&text, "$ kubectl get %s%s\n%s\n", word, flags, printed)
	}
	return text.String()
}

func logs(t *testing.T, folder string) string {
	var text strings.Builder
	files, _ := filepath.Glob(filepath.Join(folder, "logs/*/*/*"))
	sort.Strings(files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(filepath.ToSlash(file), "/")
		pod, namespace, name := parts[len(parts)-2], parts[len(parts)-3], parts[len(parts)-1]
		flags := ""
		switch {
		case strings.HasSuffix(name, ".previous.log"):
			name, flags = strings.TrimSuffix(name, ".previous.log"), " --previous"
		case strings.HasSuffix(name, ".log"):
			name = strings.TrimSuffix(name, ".log")
		default:
			// kubectl's own words before those of the API.
			name = strings.TrimSuffix(name, ".error")
			if !strings.HasPrefix(string(content), "Error from server") {
				content = append([]byte("Error from server: "), content...)
			}
		}
		fmt.Fprintf(&text, "$ kubectl logs %s -c %s -n %s%s\n%s\n", pod, name, namespace, flags, strings.TrimRight(string(content), "\n"))
	}
	return text.String()
}

func write(t *testing.T, path, text string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
