//! What is a secret and what is not, and that no planted one survives.

use super::*;
use proptest::prelude::*;

#[test]
fn takes_out_what_is_secret() {
    for (text, secret) in [
        ("DB_PASSWORD=hunter2 next", "hunter2"),
        ("DB_PASSWORD=p,w;d) next", "p,w;d"),
        ("DB_PASSWORD:   swordfish", "swordfish"),
        ("DB_PASS=swordfish", "swordfish"),
        ("SECRET_KEY_BASE=abcdef", "abcdef"),
        ("password: s3cr3t!", "s3cr3t!"),
        ("password: swordfish\nuser: bob", "swordfish"),
        ("{password: swordfish}", "swordfish"),
        (r#"{"apiKey":"abc def","x":1}"#, "abc def"),
        (r#"{\"token\":\"abc\",\"x\":1}"#, "abc"),
        (r#"{"password":"ab\"cd"}"#, "cd"),
        (r#"{"name":"DB_PASSWORD","value":"swordfish"}"#, "swordfish"),
        ("- name: DB_PASSWORD\n  value: swordfish\n", "swordfish"),
        ("{Name:DB_PASSWORD Value:swordfish ValueFrom:nil}", "swordfish"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
        ("AccountName=x;AccountKey=abc/def+ghi==;EndpointSuffix=core", "abc/def+ghi=="),
        ("GET /x?token=abcdef&y=1 HTTP/1.1", "abcdef"),
        ("postgres://app:p4ss/w0rd@db:5432/shop", "p4ss/w0rd"),
        ("redis://:topsecret@cache:6379", "topsecret"),
        ("dsn app:topsecret@tcp(db:3306)/shop", "topsecret"),
        ("Authorization: Bearer abcdefghijklmnop1234", "abcdefghijklmnop1234"),
        ("authorization: token abcdef", "abcdef"),
        ("-H 'Authorization: Basic dXNlcjpwYXNz/d29yZA=='", "dXNlcjpwYXNz"),
        ("-H 'Authorization: Basic dXNlcjpwYXNz/d29yZA=='", "d29yZA=="),
        ("Set-Cookie: session=abc; Path=/", "session=abc"),
        ("token xoxb-123456789012-abcdefghijkl here", "xoxb-123456789012-abcdefghijkl"),
        ("ghp_0123456789abcdefghij0123456789abcdef", "ghp_0123456789abcdefghij"),
        ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
        ("key sk-proj-abcDEF0123456789abcdef", "abcDEF0123456789"),
        ("see https://hooks.slack.com/services/T0/B0/abcdef", "services/T0"),
        (
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            "eyJhbGciOiJIUzI1NiJ9",
        ),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nafter", "MIIEow"),
        ("key: |\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNd", "MHcCAQEEIIrYSSNd"),
        ("mysqld --password hunter22 --port 1", "hunter22"),
        ("kubectl create secret generic x --from-literal=password=hunter22", "hunter22"),
        ("https://ghtokenghtokenghtoken@github.com/x", "ghtokenghtokenghtoken"),
    ] {
        let clean = redact(text);
        assert!(!clean.contains(secret) && clean.contains(REDACTED), "{text} -> {clean}");
    }
}

#[test]
fn leaves_alone_what_is_not() {
    for text in [
        "prod/manage-5bd487cf9d-bqmvm",
        "sk-frontend-5bd487cf9d-bqmvm and pypi-mirror-5bd487cf9d-bqmvm",
        "172.30.0.1:5000/shop/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "docker-pullable://nginx:1.25@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "registry.example.com/csi-secret:v1.2 and shop/api-token:latest",
        "dial tcp: lookup vault-token:8200",
        "97175414-afbe-4b36-b371-c8ca9b3edaae",
        "secret \"db-credentials\" not found",
        "MountVolume.SetUp failed for volume \"certs\" : secret \"tls\" not found",
        "failed to fetch anonymous token: unexpected status: 401 Unauthorized",
        "failed to fetch oauth token: x509: certificate signed by unknown authority",
        "failed to fetch anonymous token: Get \"https://auth.docker.io/token?scope=repository%3Ax%3Apull\": EOF",
        "token: expired",
        "pull access denied, repository does not exist or may require authorization: server message: denied",
        "Get \"https://10.0.0.1:10250/containerLogs/shop/web/app\": dial tcp 10.0.0.1:10250: i/o timeout",
        "http://10.0.0.1:8080/users/a@b",
        "no basic auth credentials",
        "couldn't find key password in Secret shop/db",
        "references non-existent secret key: tls.crt",
        "DB_PASSWORD:  <set to the key 'password' in secret 'db'>  Optional: false",
        "--password=$(DB_PASSWORD)",
        "PWD=/app",
        "automountServiceAccountToken: false",
        "imagePullSecrets: [{name: regcred}]",
        "SecretName:  db-creds\n    Optional:    false",
        "error parsing x: no -----BEGIN block",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn what_stands_around_a_secret_stays() {
    for (text, clean) in [
        ("postgres://app:pw@db:5432/shop?x=1", "postgres://app:[redacted]@db:5432/shop?x=1"),
        ("a TOKEN=abc, B=2", "a TOKEN=[redacted], B=2"),
        (r#"{\"token\":\"abc\",\"x\":1}"#, r#"{\"token\":\"[redacted]\",\"x\":1}"#),
        ("{\"password\":\"x\",\"user\":\"bob\"}", "{\"password\":\"[redacted]\",\"user\":\"bob\"}"),
        ("-----BEGIN X-----\nYQ==\n-----END X-----\nafter", "[redacted]\nafter"),
        ("app:pw@tcp(db:3306)/shop", "app:[redacted]@tcp(db:3306)/shop"),
    ] {
        assert_eq!(redact(text), clean);
    }
}

proptest! {
    #[test]
    fn a_planted_password_never_survives(
        before in "[ -~]{0,40}", secret in "[A-Za-z0-9]{4}[0-9][A-Za-z0-9]{8,20}", after in "[ -~]{0,40}"
    ) {
        // What stands before must not already hold the secret's text.
        prop_assume!(!before.contains(&secret) && !after.contains(&secret));
        for form in [
            format!("{before} DB_PASSWORD={secret} {after}"),
            format!("{before}\nDB_PASSWORD: {secret}\n{after}"),
            format!("{before} \"token\": \"{secret}\" {after}"),
            format!("{before} postgres://u:{secret}@db/x {after}"),
            format!("{before} u:{secret}@tcp(db:3306)/x {after}"),
            format!("{before} xoxb-{secret} {after}"),
            format!("{before} Authorization: Bearer {secret} {after}"),
            format!("{before}\n-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n{after}"),
        ] {
            prop_assert!(!redact(&form).contains(&secret), "{} -> {}", form, redact(&form));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        redact(&text);
    }

    #[test]
    fn twice_is_once(text in "(password|TOKEN|name|value|:|=|\"|'| |\n|,|\\\\|://|@|[a-zA-Z0-9]{1,6}|Bearer |-----BEGIN |-----END |[^\\x00]){0,30}") {
        let once = redact(&text);
        prop_assert_eq!(redact(&once), once);
    }

    #[test]
    fn names_of_the_cluster_survive(name in "[a-z][a-z0-9]{0,12}(-[a-z0-9]{1,10}){0,3}", hash in "[0-9a-f]{64}") {
        for form in [
            format!("shop/{name} is stuck"),
            format!("registry.example.com/{name}:v1.2@sha256:{hash}"),
            format!("pod \"{name}\" of node {name}.example.com"),
        ] {
            prop_assert_eq!(redact(&form), form);
        }
    }
}
