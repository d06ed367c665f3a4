//! What is remembered of a module that was built.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::c_source::CSource;
use super::manifest::{Abi, Manifest, UnsafeCode};

/// A module as it was built last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What its Cargo.toml said.
    pub manifest: Manifest,
    /// Every file that it was built of, Cargo.toml too.
    pub sources: Vec<PathBuf>,
    /// A hash of their contents.
    pub contents: String,
    /// All else that it depends on: the kernel, the modules that it uses, how it is built.
    pub circumstances: String,
    /// The compiler's hash of its crate, by which modules that use it know whether it has changed.
    pub crate_hash: String,
    /// Symbols that others have to provide.
    pub needs: BTreeSet<String>,
    /// Symbols that it provides.
    pub offers: BTreeSet<String>,
    /// Bytes that it takes in memory.
    pub loaded: u64,
}

impl Record {
    /// Reads a record; `None` if there is none that is whole.
    pub fn read(path: &Path) -> Option<Self> {
        Self::parse(&serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?)
    }

    /// Writes it down.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.to_json().to_string()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether the files that it was built of are as they were.
    pub fn is_of_present_sources(&self) -> bool {
        contents(&self.sources).is_ok_and(|contents| contents == self.contents)
    }

    fn parse(value: &Value) -> Option<Self> {
        let text = |value: &Value| Some(value.as_str()?.to_owned());
        let manifest = &value["manifest"];
        Some(Self {
            manifest: Manifest {
                name: text(&manifest["name"])?,
                source: text(&manifest["source"])?.into(),
                edition: text(&manifest["edition"])?,
                license: text(&manifest["license"])?,
                crates: list(&manifest["crates"])?,
                unsafe_code: match manifest["unsafe"].as_bool()? {
                    true => UnsafeCode::Allowed,
                    false => UnsafeCode::Forbidden,
                },
                abi: if manifest["is_c"].as_bool()? { Abi::C } else { Abi::Rust },
                c: match &manifest["source_in_c"] {
                    Value::Null => None,
                    c => Some(CSource { files: list(&c["files"])?, flags: list(&c["flags"])? }),
                },
            },
            sources: list(&value["sources"])?,
            contents: text(&value["contents"])?,
            circumstances: text(&value["circumstances"])?,
            crate_hash: text(&value["crate_hash"])?,
            needs: list(&value["needs"])?,
            offers: list(&value["offers"])?,
            loaded: value["loaded"].as_u64()?,
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "manifest": {
                "name": self.manifest.name,
                "source": self.manifest.source.to_str(),
                "edition": self.manifest.edition,
                "license": self.manifest.license,
                "crates": self.manifest.crates,
                "unsafe": self.manifest.unsafe_code == UnsafeCode::Allowed,
                "is_c": self.manifest.abi == Abi::C,
                "source_in_c": self.manifest.c.as_ref().map(|c| json!({"files": c.files, "flags": c.flags})),
            },
            "sources": self.sources.iter().map(|path| path.to_str()).collect::<Vec<_>>(),
            "contents": self.contents,
            "circumstances": self.circumstances,
            "crate_hash": self.crate_hash,
            "needs": self.needs,
            "offers": self.offers,
            "loaded": self.loaded,
        })
    }
}

fn list<T: From<String>, L: FromIterator<T>>(value: &Value) -> Option<L> {
    value.as_array()?.iter().map(|item| Some(T::from(item.as_str()?.to_owned()))).collect()
}

/// A hash of the names and contents of these files.
pub fn contents(files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        (file, fs::read(file).with_context(|| format!("cannot read {}", file.display()))?).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::{Abi, CSource, Manifest, Record, UnsafeCode};

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let record = Record {
            manifest: Manifest {
                name: "hello".into(),
                source: "/m/src/lib.rs".into(),
                edition: "2024".into(),
                license: "MIT".into(),
                crates: vec!["lender".into()],
                unsafe_code: UnsafeCode::Allowed,
                abi: Abi::C,
                c: Some(CSource { files: vec!["a.c".into()], flags: vec!["-DA".into()] }),
            },
            sources: vec!["/m/Cargo.toml".into()],
            contents: "1".into(),
            circumstances: "2".into(),
            crate_hash: "3".into(),
            needs: ["a".to_owned()].into(),
            offers: ["b".to_owned(), "c".to_owned()].into(),
            loaded: 4096,
        };
        assert_eq!(Record::parse(&record.to_json()).as_ref(), Some(&record));
        let mut damaged = record.to_json();
        damaged["needs"] = 1.into();
        assert_eq!(Record::parse(&damaged), None);
    }
}
