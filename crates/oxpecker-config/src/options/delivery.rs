//! Options of `[log.delivery]`: files of access records for a bucket or a directory.

use super::Fallback::{Unset, Value};
use super::Kind::{Duration, Other, Path, Size, Text, Word};
use super::{TableDoc, option};
use crate::model::Layout;
use crate::words::names;

pub(super) static DELIVERY: TableDoc = TableDoc {
    name: "log.delivery",
    heading: "[log.delivery]",
    doc: "Access records in files by interval, taken to an S3-compatible bucket or a directory, as \
          AWS does it for its load balancers. Beside the targets, whatever their level. One of \
          `bucket` and `directory` must be written. See [operations](operations.md#delivery).",
    options: &[
        option(
            "bucket",
            Text,
            Unset("files go to `directory`"),
            "Name of a bucket. It must exist.",
            "\"Cluster1-logs\"",
        ),
        option(
            "directory",
            Path,
            Unset("files go to `bucket`"),
            "A directory that receives finished files, such as a network mount. It must exist; \
             what is below it is made.",
            "\"/mnt/logs\"",
        ),
        option(
            "prefix",
            Text,
            Unset("none"),
            "What names of files begin with. `/` makes directories.",
            "\"Cluster1-Impala\"",
        ),
        option(
            "layout",
            Word(names::<Layout>),
            Value("\"elb\""),
            "Names of files: `elb`, by account, region and day as AWS has them; `flat`, all in one \
             directory.",
            "\"flat\"",
        ),
        option(
            "interval",
            Duration(1000),
            Value("\"60m\""),
            "A file ends where the clock (UTC) passes a multiple of this; a busy gateway makes \
             more than one. AWS has 5 and 60 minutes; here from 1 s to 24 h.",
            "\"5m\"",
        ),
        option(
            "name",
            Text,
            Value("\"oxpecker\""),
            "Name of this load balancer, in the names of files.",
            "\"impala-lb\"",
        ),
        option(
            "account",
            Text,
            Value("\"000000000000\""),
            "Account number, in the names of files; only for `layout = \"elb\"`.",
            "\"123456789012\"",
        ),
        option(
            "region",
            Text,
            Value("\"us-east-1\""),
            "Region of the bucket, also in the names of files. Other stores than AWS mostly take \
             any.",
            "\"eu-central-1\"",
        ),
        option(
            "endpoint",
            Other("a URL such as \"https://s3.example.com:9000\""),
            Unset("AWS"),
            "Where the store is, without the bucket. Requests name the bucket in their path.",
            "\"https://s3.example.com:9000\"",
        ),
        option(
            "ca_file",
            Path,
            Unset("the system's roots"),
            "Only these authorities may vouch for the store (PEM). Its certificate is always \
             verified.",
            "\"ca.crt\"",
        ),
        option(
            "access_key_id",
            Text,
            Unset("from the environment, or from the instance's metadata"),
            "Name of the key to sign with. Without it, in this order: `AWS_ACCESS_KEY_ID` and \
             `AWS_SECRET_ACCESS_KEY`, a web identity, the container's credentials, the instance's \
             role.",
            "\"AKIAIOSFODNN7EXAMPLE\"",
        ),
        option(
            "secret_access_key",
            Other(
                "{ file = \"PATH\" } or { env = \"NAME\" }, or the secret itself (with a warning)",
            ),
            Unset("from the environment, or from the instance's metadata"),
            "The key. The file is read again at every reload.",
            "{ file = \"s3.key\" }",
        ),
        option(
            "spool",
            Path,
            Value("\"/var/lib/oxpecker/spool\""),
            "A directory of this gateway alone, made when missing. Holds what is not delivered \
             yet, also over a restart.",
            "\"/var/spool/oxpecker\"",
        ),
        option(
            "spool_max",
            Size(64 << 10),
            Value("\"1GiB\""),
            "Room in `spool`. When it is used up, the oldest file goes and its records are lost; \
             the log says how many.",
            "\"4GiB\"",
        ),
    ],
};
