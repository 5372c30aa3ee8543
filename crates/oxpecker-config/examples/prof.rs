use oxpecker_config::*;
fn main(){ let t=std::fs::read_to_string("docs/examples/full.toml").unwrap(); let mut m=Maps::default(); m.env.insert("PROBE_PASSWORD".into(),"x".into()); m.files.insert("front.pass".into(),"x".into());
let s=std::time::Instant::now(); for _ in 0..300 { let _=check(&[Input::new("a",t.clone())],&m); } println!("ok {:?}", s.elapsed()/300);
let t=t.replace("[pool.hs2]","[pool.hs2"); 
let s=std::time::Instant::now(); for _ in 0..300 { let _=check(&[Input::new("a",t.clone())],&m); } println!("bad {:?}", s.elapsed()/300);
if let Ok(c)=check(&[Input::new("a",std::fs::read_to_string("docs/examples/full.toml").unwrap())],&m){println!("{}",explain(&c));}
}
