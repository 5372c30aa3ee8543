//! AWS: what the `aws` command prints about Classic Load Balancers, Network Load Balancers, their
//! targets, instances and security groups, in any number of files.

mod classic;
mod json;
mod network;
mod targets;

use std::collections::HashMap;
use std::time::Duration;

use crate::Mapped;
use crate::files::{Files, Span};
use crate::native::{Kind, Native, Table};
use crate::report::Notes;
use json::{Content, Json};

/// What all steps share.
struct Ctx<'f> {
    notes: Notes,
    native: Native,
    files: &'f Files,
    /// Native names of nodes by instance or address.
    nodes: HashMap<String, String>,
}

/// All documents, by what they hold.
#[derive(Default)]
struct Documents<'j> {
    classic: Vec<&'j Json>,
    classic_attributes: Vec<&'j Json>,
    /// `LoadBalancers`, `Listeners`, `TargetGroups` of elbv2.
    network: Vec<&'j Json>,
    listeners: Vec<&'j Json>,
    target_groups: Vec<&'j Json>,
    target_health: Vec<&'j Json>,
    target_attributes: Vec<&'j Json>,
    listener_attributes: Vec<&'j Json>,
    instances: HashMap<String, &'j Json>,
    security_groups: HashMap<String, &'j Json>,
}

/// Reads the files, in any order.
pub(crate) fn read(files: &Files) -> Mapped {
    let mut ctx =
        Ctx { notes: Notes::default(), native: Native::new(), files, nodes: HashMap::new() };
    let mut roots = Vec::new();
    for (number, file) in files.iter().enumerate() {
        roots.extend(json::parse(file.text(), number, &mut ctx.notes));
    }
    let mut documents = Documents::default();
    let roots: Vec<&Json> = roots.iter().filter(|root| documents.sort(&mut ctx, root)).collect();
    for balancer in &documents.classic {
        classic::add(&mut ctx, &documents, balancer);
    }
    for listener in &documents.listeners {
        network::add(&mut ctx, &documents, listener);
    }
    if !ctx.notes.has_refused() && documents.classic.is_empty() && documents.listeners.is_empty() {
        let words = "no listener is described here";
        let help = "give what `aws elb describe-load-balancers`, or `aws elbv2 describe-listeners`, prints";
        ctx.notes.refuse(Span::new(0, 0, 0), words, help);
    }
    for root in roots {
        account(&mut ctx, root);
    }
    Mapped { native: ctx.native, notes: ctx.notes, secrets: Vec::new() }
}

impl<'j> Documents<'j> {
    /// Whether it is a document that is known.
    fn sort(&mut self, ctx: &mut Ctx<'_>, root: &'j Json) -> bool {
        let known = [
            "LoadBalancerDescriptions",
            "LoadBalancerAttributes",
            "InstanceStates",
            "LoadBalancers",
            "Listeners",
            "TargetGroups",
            "TargetHealthDescriptions",
            "Attributes",
            "Reservations",
            "SecurityGroups",
        ];
        if matches!(root.content, Content::List(_)) {
            let words = "a list by itself does not tell what it is of";
            let help = "give what the aws command prints without `--query`";
            ctx.notes.refuse(root.span, words, help);
            return false;
        }
        if !known.iter().any(|key| root.get(key).is_some()) {
            let words = "this is nothing that describes a load balancer";
            let help = "known: what `aws elb|elbv2 describe-…`, `aws ec2 describe-instances` and \
                        `aws ec2 describe-security-groups` print";
            ctx.notes.refuse(root.span, words, help);
            return false;
        }
        self.classic.extend(root.list("LoadBalancerDescriptions"));
        self.classic_attributes.extend(root.get("LoadBalancerAttributes"));
        self.network.extend(root.list("LoadBalancers"));
        self.listeners.extend(root.list("Listeners"));
        self.target_groups.extend(root.list("TargetGroups"));
        if root.get("TargetHealthDescriptions").is_some() {
            self.target_health.push(root);
        }
        let has = |start: &str| {
            root.list("Attributes").iter().any(|json| json.text("Key").starts_with(start))
        };
        if has("deregistration_delay") || has("stickiness") || has("proxy_protocol_v2") {
            self.target_attributes.push(root);
        } else if has("tcp.idle_timeout") {
            self.listener_attributes.push(root);
        }
        for instance in root.list("Reservations").iter().flat_map(|r| r.list("Instances")) {
            self.instances.insert(instance.text("InstanceId").to_owned(), instance);
        }
        for group in root.list("SecurityGroups").iter().filter(|g| g.get("GroupId").is_some()) {
            self.security_groups.insert(group.text("GroupId").to_owned(), group);
        }
        true
    }

    /// Networks that the security groups let in to a port; `None` when no group is known.
    fn allowed(&self, ctx: &mut Ctx<'_>, groups: &[Json], port: u16) -> Option<LetIn> {
        let mut allowed = LetIn::default();
        let mut is_known = false;
        for group in groups {
            let Some(found) = self.security_groups.get(group.scalar()) else {
                let words = format!("the rules of {} are not known", group.scalar());
                let help = "add what `aws ec2 describe-security-groups` prints";
                ctx.notes.warn(group.span, words, help);
                continue;
            };
            is_known = true;
            found.text("GroupName");
            if !ctx.notes.work(found.list("IpPermissions").len(), found.span) {
                break;
            }
            for rule in found.list("IpPermissions") {
                let all = rule.text("IpProtocol") == "-1";
                let tcp = rule.text("IpProtocol") == "tcp";
                let from = rule.number("FromPort").unwrap_or(0);
                let to = rule.number("ToPort").unwrap_or(65_535);
                if !(all || tcp && (from..=to).contains(&port.into())) {
                    continue;
                }
                for (list, key) in [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")] {
                    if !ctx.notes.work(rule.list(list).len(), rule.span) {
                        break;
                    }
                    for range in rule.list(list) {
                        allowed.networks.push((range.text(key).to_owned(), range.at(key)));
                    }
                }
                for (list, key) in
                    [("UserIdGroupPairs", "GroupId"), ("PrefixListIds", "PrefixListId")]
                {
                    if !ctx.notes.work(rule.list(list).len(), rule.span) {
                        break;
                    }
                    let others = rule.list(list).iter();
                    allowed
                        .groups
                        .extend(others.map(|other| (other.text(key).to_owned(), other.span)));
                }
            }
        }
        is_known.then_some(allowed)
    }
}

/// Whom security groups let in.
#[derive(Default)]
struct LetIn {
    networks: Vec<(String, Span)>,
    /// Other groups and prefix lists, whose addresses nobody has printed.
    groups: Vec<(String, Span)>,
}

/// Writes `allow`, or says why there is none.
fn let_in(
    ctx: &mut Ctx<'_>,
    documents: &Documents<'_>,
    balancer: &Json,
    port: u16,
    table: &mut Table,
) {
    let groups = balancer.list("SecurityGroups");
    let allowed = documents.allowed(ctx, groups, port);
    let span = balancer.at("SecurityGroups");
    let by_group = "add the networks of its members to the rule, as IpRanges with a CidrIp each";
    match allowed {
        Some(LetIn { networks, groups }) if networks.is_empty() && !groups.is_empty() => {
            for (group, span) in groups {
                let words = format!(
                    "port {port} is for {group} alone, and its addresses are not known here"
                );
                ctx.notes.refuse(span, words, by_group);
            }
        }
        Some(LetIn { networks, .. }) if networks.is_empty() => {
            let words = format!("no rule of its security groups lets anybody in on port {port}");
            ctx.notes.refuse(
                span,
                words,
                "add an inbound rule with networks, or leave the listener out",
            );
        }
        Some(LetIn { networks, groups }) => {
            for (group, span) in groups {
                let words = format!(
                    "{group} is not let in to port {port}: its addresses are not known here"
                );
                ctx.notes.change(span, &*words);
                ctx.notes.warn(span, words, by_group);
            }
            if let Some((_, open)) = networks.iter().find(|(network, _)| network.ends_with("/0")) {
                table.told("listen", "everybody may connect");
                let words = format!("everybody may connect to port {port}");
                ctx.notes.warn(*open, words, "name the networks of your clients");
            }
            table.texts("allow", &networks, span);
        }
        None => {
            table.told("listen", "everybody may connect");
            let words = format!(
                "everybody may connect to port {port}: no rules of security groups are known"
            );
            ctx.notes.warn(span, words, "add what `aws ec2 describe-security-groups` prints");
        }
    }
}

/// A TLS profile with files named for a certificate that AWS keeps.
fn tls_client(ctx: &mut Ctx<'_>, certificates: &[(&str, Span)], name: &str, span: Span) -> String {
    let mut table = Table::single(Kind::TlsClient, span);
    table.text("parent", "clientssl", span);
    let mut entries = Vec::new();
    for (arn, span) in certificates {
        let id = crate::native::clean_name(arn.rsplit(['/', ':']).next().unwrap_or(arn));
        let pair = [("certificate", format!("{id}.crt")), ("key", format!("{id}.key"))];
        let pair = pair.map(|(key, file)| (key, crate::native::quote(&file)));
        entries.push((crate::native::inline(&pair), *span));
        let words = format!(
            "AWS keeps this certificate: put one as {id}.crt and {id}.key beside the configuration"
        );
        ctx.notes.change(*span, words);
    }
    table.value("certificates", crate::native::Value::List(entries), span);
    ctx.native.share(Kind::TlsClient, name, table)
}

/// Load balancers of AWS look at no certificate of a member.
fn tls_server(ctx: &mut Ctx<'_>, span: Span) -> String {
    let mut table = Table::single(Kind::TlsServer, span);
    table.text("parent", "serverssl", span);
    table.text("verify", "none", span);
    ctx.notes.change(span, "members' certificates are not looked at, as by AWS");
    ctx.native.share(Kind::TlsServer, "unverified", table)
}

/// The profile of a service with an idle timeout.
fn idle(ctx: &mut Ctx<'_>, seconds: u64, span: Span) -> String {
    let time = Duration::from_secs(seconds);
    let shown = crate::native::show_duration(time);
    let mut table = Table::single(Kind::Protocol, span);
    table.text("parent", "fastl4", span);
    table.duration("idle_timeout", time, span);
    if seconds < 600 {
        let words = format!("a query that takes longer than {shown} is cut while its client waits");
        ctx.notes.warn(span, words, "make it as long as the longest query; 3600 is usual");
    }
    ctx.native.share(Kind::Protocol, &format!("fastl4_{shown}"), table)
}

/// Every value is in the report.
fn account(ctx: &mut Ctx<'_>, root: &Json) {
    let mut leaves = Vec::new();
    root.leaves("", &mut leaves);
    for (name, span, used) in leaves {
        ctx.notes.directive(span);
        if used {
            continue;
        }
        let words = reason(name);
        ctx.notes.drop(span, words);
    }
}

/// Why a value means nothing here.
fn reason(name: &str) -> &'static str {
    match name {
        "DNSName"
        | "CanonicalHostedZoneName"
        | "CanonicalHostedZoneNameID"
        | "CanonicalHostedZoneId" => "clients are told the gateway's own name",
        "State" | "ReasonCode" | "Description" | "Reason" => "probes find out by themselves",
        "S3BucketName" | "S3BucketPrefix" | "EmitInterval" | "Enabled" => {
            "access records go to the log; nothing is put into buckets"
        }
        name if name.starts_with("access_logs.") => {
            "access records go to the log; nothing is put into buckets"
        }
        "AvailabilityZone"
        | "AvailabilityZones"
        | "ZoneName"
        | "Subnets"
        | "SubnetId"
        | "load_balancing.cross_zone.enabled" => {
            "zones and subnets: any member may get any connection, wherever it is"
        }
        "CookieName" | "CookieExpirationPeriod" => {
            "stickiness by cookies of HTTP: bytes pass as they come"
        }
        "idle_timeout.timeout_seconds" => "the idle timeout of application load balancers",
        "IdleTimeout" => "the idle timeout of a load balancer that has no listener here",
        name if name.starts_with("stickiness.") => "how clients would stick, which they do not",
        "LoadBalancerPort" | "InstancePort" | "Protocol" | "InstanceProtocol" | "Port" => {
            "a port or protocol that nothing here listens on"
        }
        "CreatedTime" | "LaunchTime" => "when AWS made it",
        name if name.ends_with("Arn") || name.ends_with("Arns") || name.ends_with("Id") => {
            "AWS's own name for it"
        }
        name if name.starts_with("deletion_protection") => "protects the object at AWS",
        _ => "describes the object at AWS; a gateway has no use for it",
    }
}

/// A value that is there and is empty.
fn is_empty(json: Option<&Json>) -> bool {
    match json.map(|json| &json.content) {
        None | Some(Content::Null) => true,
        Some(Content::List(items)) => items.is_empty(),
        Some(Content::Map(map)) => map.is_empty(),
        Some(Content::Text(text)) => text.is_empty(),
        Some(_) => false,
    }
}
