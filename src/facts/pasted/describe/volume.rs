//! Volumes as describe prints them: a name, below it the type in words and its settings.

use super::super::object::{pairs, set};
use super::super::tree::{Field, Fields};
use serde_json::{Map, Value, json};

/// Returns the volumes of a pod or template.
pub fn volumes(list: &[Field]) -> Option<Vec<Value>> {
    let volumes: Vec<Value> =
        list.iter().filter(|field| !field.key.is_empty() && !field.key.contains(' ')).map(volume).collect();
    (!volumes.is_empty()).then_some(volumes)
}

fn volume(volume: &Field) -> Value {
    let fields = volume.below.as_slice();
    let mut found = Map::new();
    found.insert("name".into(), volume.key.as_str().into());
    if let Some((key, source)) = source(fields) {
        found.insert(key.into(), source);
    }
    Value::Object(found)
}

/// Returns the source of a volume by its field's name.
pub fn source(fields: &[Field]) -> Option<(&'static str, Value)> {
    let text = |key: &str| fields.value(key).unwrap_or_default();
    let is = |key: &str| text(key) == "true";
    Some(match fields.value("Type")?.split_whitespace().next()? {
        "HostPath" => ("hostPath", json!({"path": text("Path"), "type": text("HostPathType")})),
        "EmptyDir" => {
            let mut of = Map::new();
            set(&mut of, "medium", fields.value("Medium"));
            set(&mut of, "sizeLimit", fields.value("SizeLimit"));
            ("emptyDir", of.into())
        }
        "Secret" => ("secret", json!({"secretName": text("SecretName"), "optional": is("Optional")})),
        "ConfigMap" => ("configMap", json!({"name": text("Name"), "optional": is("Optional")})),
        "PersistentVolumeClaim" => {
            ("persistentVolumeClaim", json!({"claimName": text("ClaimName"), "readOnly": is("ReadOnly")}))
        }
        "NFS" => ("nfs", json!({"server": text("Server"), "path": text("Path"), "readOnly": is("ReadOnly")})),
        "Projected" => ("projected", json!({"sources": projected(fields)})),
        "EphemeralVolume" => {
            let mut spec = Map::new();
            set(&mut spec, "storageClassName", fields.value("StorageClass"));
            ("ephemeral", json!({"volumeClaimTemplate": {"spec": spec}}))
        }
        "CSI" => {
            let mut of = Map::new();
            of.insert("driver".into(), text("Driver").into());
            set(&mut of, "volumeHandle", fields.value("VolumeHandle"));
            set(&mut of, "fsType", fields.value("FSType"));
            set(&mut of, "volumeAttributes", pairs(fields.field("VolumeAttributes")));
            ("csi", of.into())
        }
        "AWSElasticBlockStore" => ("awsElasticBlockStore", json!({"volumeID": text("VolumeID")})),
        "GCEPersistentDisk" => ("gcePersistentDisk", json!({"pdName": text("PDName")})),
        "Cinder" => ("cinder", json!({"volumeID": text("VolumeID")})),
        "AzureDisk" => ("azureDisk", json!({"diskName": text("DiskName"), "diskURI": text("DiskURI")})),
        "AzureFile" => ("azureFile", json!({"secretName": text("SecretName"), "shareName": text("ShareName")})),
        "LocalVolume" => ("local", json!({"path": text("Path")})),
        "DownwardAPI" => ("downwardAPI", json!({})),
        "Image" => ("image", json!({"reference": text("Reference")})),
        _ => return None,
    })
}

/// The sources of a projected volume stand in a row, each begun by its own key.
fn projected(fields: &[Field]) -> Vec<Value> {
    let mut sources: Vec<Value> = Vec::new();
    for field in fields {
        let value = field.value.as_str();
        match field.key.as_str() {
            "SecretName" => sources.push(json!({"secret": {"name": value}})),
            "ConfigMapName" => sources.push(json!({"configMap": {"name": value}})),
            "TokenExpirationSeconds" => sources.push(json!({"serviceAccountToken": {"path": "token"}})),
            "DownwardAPI" => sources.push(json!({"downwardAPI": {}})),
            "Optional" => {
                for kind in ["secret", "configMap"] {
                    if let Some(of) = sources.last_mut().and_then(|last| last.get_mut(kind)) {
                        of["optional"] = (value == "true").into();
                    }
                }
            }
            // Up to 1.30 the optional flag had a key of its own.
            "ConfigMapOptional" | "SecretOptionalName" => {
                if let Some(of) = sources.last_mut().and_then(|last| last.get_mut("configMap")) {
                    of["optional"] = (value == "true").into();
                }
            }
            _ => {}
        }
    }
    sources
}
