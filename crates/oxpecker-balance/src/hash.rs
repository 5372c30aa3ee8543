//! A small hash that is the same on every machine and in every version.
//!
//! Replicas of the gateway share nothing and still have to agree on the member of a source, so
//! this is a promise between machines: changing it moves every client once. `std`'s hashers make
//! no such promise. Not for defence against chosen keys.

use std::net::IpAddr;

/// Keeps `::1` and `0.0.0.1` apart: an IPv4 address must not hash as its number alone.
const V4_SALT: u64 = 0x4f78_7065_636b_6572; // "Oxpecker"

/// Spreads every input bit over every output bit: the finalizer of SplitMix64 (Steele, Lea and
/// Flood, 2014), a bijection, so different inputs never collide here.
pub(crate) fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a, finished by [`mix`] because FNV alone leaves similar names with similar hashes.
pub(crate) fn hash_name(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

/// An IPv4 client hashes the same whether it came in over an IPv4 or a dual-stack socket.
pub(crate) fn hash_address(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => mix(u64::from(v4.to_bits()) ^ V4_SALT),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            mix(mix((bits >> 64) as u64) ^ bits as u64)
        }
    }
}

#[cfg(test)]
mod tests;
