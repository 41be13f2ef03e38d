//! Every file in the folders of this store, whoever put it there.

use std::fs;
use std::io;
use std::path::Path;

use berth_oci::Digest;

use super::super::{Item, Location};

/// The folders that are this store's alone; what stands beside them is none of its business.
const FOLDERS: [&str; 3] = ["sha256", "sha512", "uploads"];

/// Every file, with what its path tells.
pub(super) fn everything(root: &Path) -> io::Result<Vec<Item>> {
    let mut items = Vec::new();
    for folder in FOLDERS {
        match walk(root, folder, &mut items) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            walked => walked?,
        }
    }
    Ok(items)
}

fn walk(root: &Path, folder: &str, items: &mut Vec<Item>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Gone since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            walk(root, &name, items)?;
        } else {
            items.push(item(name, metadata.len()));
        }
    }
    Ok(())
}

fn item(name: String, size: u64) -> Item {
    let (upload, digest) = match name.split('/').collect::<Vec<_>>().as_slice() {
        ["uploads", id] => (Some((*id).to_owned()), None),
        [algorithm, shard, file] => match file.split_once('.') {
            Some((hex, id)) if hex.starts_with(shard) => {
                (Some(id.to_owned()), format!("{algorithm}:{hex}").parse::<Digest>().ok())
            }
            _ => (None, None),
        },
        _ => (None, None),
    };
    let told = digest.map(|digest| (digest, Location(name.clone())));
    Item { name, size, upload, told }
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;

    use super::*;

    #[test]
    fn a_path_tells_the_upload_and_the_digest() {
        let digest = Digest::of(Algorithm::Sha256, b"content");
        let name = format!("sha256/{}/{}.abc", &digest.hex()[..2], digest.hex());
        let sealed = item(name.clone(), 7);
        assert_eq!(sealed.upload.as_deref(), Some("abc"));
        assert_eq!(sealed.told, Some((digest, Location(name))));
        let staged = item("uploads/abc".to_owned(), 7);
        assert_eq!((staged.upload.as_deref(), staged.told), (Some("abc"), None));
    }

    #[test]
    fn what_is_named_otherwise_tells_nothing() {
        for name in ["sha256/ab/notes", "sha256/ab/ab12.abc", "sha256/file", "uploads/a/b/c"] {
            let stray = item(name.to_owned(), 7);
            assert_eq!(stray.told, None, "{name}");
        }
    }
}
