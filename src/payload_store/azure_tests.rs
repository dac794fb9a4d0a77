//! Azure Blob Storage, as Azurite speaks it.
#![allow(clippy::unwrap_used)]

use kvs_harness::AzureServer;
use object_store::ObjectStoreExt;

use super::tests::{NoCredentials, block_on, config};
use super::*;

fn open(url: &str, server: &AzureServer, key: &str) -> PayloadStore {
    let mut config = config(url, Some(&server.url()));
    for (name, value) in [("azure_storage_account_name", AzureServer::ACCOUNT), ("azure_storage_account_key", key)] {
        config.options.insert(name.to_owned(), value.to_owned());
    }
    PayloadStore::open(&config, Arc::new(NoCredentials)).unwrap()
}

#[test]
fn objects_are_written_and_refusals_say_what_to_do() {
    let server = AzureServer::start();
    server.create_container("media");
    let store = open("az://media/site=a", &server, AzureServer::KEY);
    for content in
        [vec![Bytes::from_static(b"one"), Bytes::from_static(b" and two")], vec![Bytes::from(vec![7; 8 << 20])]]
    {
        let whole = content.concat();
        let stored = block_on(store.put(&["door", "17.mkv"], content)).unwrap();
        let uri = "az://media/site=a/door/17.mkv".to_owned();
        assert_eq!(stored, StoredObject { uri, size_bytes: whole.len() as u64 });
        let path = store.path(&["door", "17.mkv"]);
        let found = block_on(store.store.head(&path)).unwrap();
        assert_eq!(found.size, whole.len() as u64);
        // Larger responses than a store's refuse to be read.
        if whole.len() < 100 {
            let read = block_on(async { store.store.get(&path).await.unwrap().bytes().await.unwrap() });
            assert_eq!(read, whole);
        }
    }
    block_on(store.check()).unwrap();
    let left = block_on(async { store.store.head(&store.path(&[CHECK_NAME])).await });
    assert!(
        matches!(left, Err(object_store::Error::Generic { .. } | object_store::Error::NotFound { .. })),
        "{left:?}"
    );

    let missing = open("az://missing", &server, AzureServer::KEY);
    let error = block_on(missing.check()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NoBucket, "{error}");
    assert!(
        error.to_string().starts_with("cannot write az://missing/.kvs-connect-write-check: HTTP 404 ContainerNotFound")
    );
    let wrong = "d3Jvbmcta2V5LXdyb25nLWtleQ==";
    let error = block_on(open("az://media", &server, wrong).check()).unwrap_err();
    assert!(error.to_string().contains("azure_storage_account_key"), "{error}");
    assert!(!format!("{error:?}").contains(wrong));
}
