//! The promise to other replicas: these numbers never change.
//! They come from a second implementation, in Python.

use super::*;

#[test]
fn hashes_are_the_same_in_every_version() {
    assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf); // the published first output of SplitMix64
    assert_eq!(hash_name("coord-1:21050"), 0xb990_0b9b_4918_b4dc);
    assert_eq!(hash_address("10.17.84.11".parse().unwrap()), 0xc9d1_3372_8b40_83a6);
    assert_eq!(hash_address("fd00::1".parse().unwrap()), 0x000e_d857_a0f2_c72d);
}

#[test]
fn mapped_address_is_the_address() {
    let hash = |text: &str| hash_address(text.parse().unwrap());
    assert_eq!(hash("::ffff:10.0.0.1"), hash("10.0.0.1"));
    assert_ne!(hash("::10.0.0.1"), hash("10.0.0.1"));
    assert_ne!(hash("10.0.0.1"), hash("10.0.0.2"));
}
