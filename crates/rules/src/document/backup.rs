//! Another place that a prompt may go to, and the credential for it.

use crate::document::{CredentialKind, Format, Host, Provider, SecretFile, Segment, Text, Variable};
use crate::read::section;

section! {
    /// Another place that a prompt may go to.
    Backup {
        required {
            /// The provider whose API is spoken there.
            "provider" provider: Provider,
            /// What it is paid by. The app's own key never goes to a backup.
            "credential" credential: Credential,
        }
        optional {
            /// The host. Left out, it is the provider's own, or that of `region`; Azure's customers have one each.
            "host" host: Host,
            /// Azure: the deployment that answers.
            "deployment" deployment: Segment,
            /// Bedrock and Vertex: the region that answers.
            "region" region: Segment,
            /// Vertex: the project that is billed.
            "project" project: Segment,
            /// The model that answers. Left out, it is the one that the app asked for. Behind a deployment of Azure it says
            /// which model stands there, for price and facts.
            "model" model: Text,
            /// The wire format in which a turn of a conversation is asked there, by the word that records have for it. Left out,
            /// it is the app's own where the provider answers the model in it, else the provider's usual one.
            "format" format: Format,
        }
    }
}

section! {
    /// A credential, by exactly one of `file` and `env`.
    Credential {
        required {}
        optional {
            /// A file below the folder of mounted credentials; it is read again when it changes.
            "file" file: SecretFile,
            /// A variable of Outrigger's own environment. Outside a cluster only.
            "env" env: Variable,
            /// What it is. Left out: AWS keys for Bedrock, a service account for Vertex, a key for all others.
            "kind" kind: CredentialKind,
        }
    }
}
