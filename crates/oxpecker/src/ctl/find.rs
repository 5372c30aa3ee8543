//! Which member an operator means. Only whole names count: `coord-1` never becomes `coord-10`.

use oxpecker_api::{Listing, Member, Pool};

use super::client::{Client, Target};
use super::words;

/// All of a node, over all pools.
pub(crate) fn members_of_node(client: &Client, node: &str) -> anyhow::Result<Vec<Member>> {
    let pools: Listing<Pool> = client.get(&Target::new("pools"))?;
    let members = pools.items.into_iter().flat_map(|pool| pool.members);
    Ok(members.filter(|member| member.node == node).collect())
}

/// `POOL/NODE:PORT`, or as much of it as names one member: `NODE:PORT`, `POOL/NODE`, `NODE`.
pub(crate) fn member(client: &Client, text: &str) -> anyhow::Result<Member> {
    let pools: Listing<Pool> = client.get(&Target::new("pools"))?;
    let members: Vec<Member> = pools.items.into_iter().flat_map(|pool| pool.members).collect();
    choose(members, text)
}

fn choose(members: Vec<Member>, text: &str) -> anyhow::Result<Member> {
    if members.is_empty() {
        anyhow::bail!("no pool has a member");
    }
    let all: Vec<String> = members.iter().map(full_name).collect();
    // A full name goes first: pool `a` may have a member whose node is called `a/b`.
    if let Some(at) = all.iter().position(|name| name == text) {
        return Ok(members.into_iter().nth(at).expect("it was just found"));
    }
    let mut fits: Vec<Member> = members.into_iter().filter(|m| is_meant(m, text)).collect();
    let names: Vec<String> = fits.iter().map(full_name).collect();
    match (fits.pop(), fits.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => anyhow::bail!(
            "`{text}` is more than one member: {}\n  name one of them, or the node with --node",
            names.join(", ")
        ),
        (None, _) => anyhow::bail!("no member is called `{text}`; there are {}", some_of(&all)),
    }
}

fn is_meant(member: &Member, text: &str) -> bool {
    text == member.name || text == member.node || text == format!("{}/{}", member.pool, member.node)
}

pub(crate) fn full_name(member: &Member) -> String {
    words::clean(&format!("{}/{}", member.pool, member.name))
}

/// Enough to find the right one among them.
const NAMES_SHOWN: usize = 20;

fn some_of(names: &[String]) -> String {
    let mut text = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN {
        text.push_str(", … (`oxpecker members` lists all)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::samples;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let members = vec![
            samples::member("hs2", "coord-1", 21050),
            samples::member("hs2", "coord-2", 21050),
            samples::member("hs2", "coord-10", 21051),
            samples::member("beeswax", "coord-2", 21000),
        ];
        let found = choose(members, text).map_or_else(|error| error.to_string(), |m| full_name(&m));
        assert!(found.starts_with(expected), "{text}: {found}");
    }

    #[test]
    fn a_part_that_names_one_is_enough() {
        check("hs2/coord-1:21050", "hs2/coord-1:21050");
        check("coord-1:21050", "hs2/coord-1:21050");
        check("hs2/coord-2", "hs2/coord-2:21050");
        check("coord-1", "hs2/coord-1:21050");
        check("coord-2:21000", "beeswax/coord-2:21000");
    }

    #[test]
    fn what_is_not_clear_is_asked() {
        check(
            "coord-2",
            "`coord-2` is more than one member: hs2/coord-2:21050, beeswax/coord-2:21000",
        );
        check("coord", "no member is called `coord`; there are hs2/coord-1:21050, ");
        check("hs2", "no member is called `hs2`");
    }
}
