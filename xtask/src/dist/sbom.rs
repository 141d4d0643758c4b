//! What a package is made of, for programs that look for known faults: `CycloneDX` 1.6, as JSON.
//!
//! It holds neither a time nor a random number, so that the same package has the same one.

use serde_json::{Value, json};

use crate::metadata::Package;

/// A file that was taken as others have built it: its name, version and SHA-256 sum.
pub(super) struct Binary<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) sha256: String,
}

/// The document of a program, which is one of the packages, and of the files beside it.
pub(super) fn document(program: &str, packages: &[(&Package, Vec<&Package>)], binaries: &[Binary<'_>]) -> Value {
    let binary_ref = |binary: &Binary<'_>| format!("pkg:generic/{}@{}", binary.name, binary.version);
    let is_program = |package: &Package| package.name == program;
    let rust = packages.iter().filter(|(package, _)| !is_program(package)).map(|(package, _)| component(package));
    let others = binaries.iter().map(|binary| {
        json!({
            "type": "library",
            "bom-ref": binary_ref(binary),
            "name": binary.name,
            "version": binary.version,
            "hashes": [{ "alg": "SHA-256", "content": binary.sha256 }],
            "licenses": [{ "license": { "id": "MIT" } }],
            "purl": binary_ref(binary),
        })
    });
    let dependencies = packages.iter().map(|(package, uses)| {
        let mut uses: Vec<_> = uses.iter().map(|used| purl(used)).collect();
        if is_program(package) {
            uses.extend(binaries.iter().map(binary_ref));
        }
        uses.sort();
        uses.dedup();
        json!({ "ref": purl(package), "dependsOn": uses })
    });
    let main = packages.iter().find(|(package, _)| is_program(package)).map(|(package, _)| {
        let mut main = component(package);
        main["type"] = json!("application");
        main
    });
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": main },
        "components": rust.chain(others).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    })
}

fn component(package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
    });
    if let Some(licence) = &package.license {
        // Older manifests have `/` for a choice, which is not SPDX.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    component
}

/// The name of a package for programs, in any language's registry.
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn everything_that_is_used_is_a_component() {
        let package = |name: &str, license: &str| Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            source: None,
            license: Some(license.to_owned()),
            repository: None,
            manifest_path: PathBuf::new(),
        };
        let (program, library) = (package("program", "MIT"), package("library", "MIT/Apache-2.0"));
        let packages = [(&program, vec![&library]), (&library, vec![])];
        let binaries = [Binary { name: "duckdb", version: "1.5.5", sha256: "00".to_owned() }];
        let document = document("program", &packages, &binaries);
        assert_eq!(document["metadata"]["component"]["type"], "application");
        let names: Vec<_> = document["components"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["library", "duckdb"]);
        assert_eq!(document["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let uses = json!(["pkg:cargo/library@1.0.0", "pkg:generic/duckdb@1.5.5"]);
        assert_eq!(document["dependencies"][0], json!({ "ref": "pkg:cargo/program@1.0.0", "dependsOn": uses }));
    }
}
