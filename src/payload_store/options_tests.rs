use super::*;

#[test]
fn options_are_those_of_the_store_and_not_those_with_a_setting_of_their_own() {
    for kind in [StoreKind::S3, StoreKind::GoogleCloud, StoreKind::Azure] {
        for name in option_names(kind) {
            assert_eq!(check_option(kind, name), Ok(()), "{name}");
        }
        for name in ["proxy_url", "timeout", "allow_http", "user_agent"] {
            let refused = check_option(kind, name).map_err(|error| error.to_string());
            assert!(refused.is_err_and(|error| error.starts_with("has no effect: use ")), "{kind:?} {name}");
        }
        assert_eq!(check_option(kind, "colour"), Err(OptionError::Unknown(kind)));
    }
    for (kind, name, setting) in [
        (StoreKind::S3, "aws_region", "payload.store.region"),
        (StoreKind::S3, "endpoint", "payload.store.endpoint"),
        (StoreKind::S3, "aws_virtual_hosted_style_request", "payload.store.path.style"),
        (StoreKind::S3, "aws_bucket", "payload.store.url"),
        (StoreKind::GoogleCloud, "google_base_url", "payload.store.endpoint"),
        (StoreKind::Azure, "azure_container_name", "payload.store.url"),
    ] {
        assert_eq!(check_option(kind, name), Err(OptionError::OwnSetting(setting)), "{name}");
    }
    assert_eq!(check_option(StoreKind::S3, "aws_role_arn"), Err(CHAIN));
    assert_eq!(check_option(StoreKind::S3, "aws_conditional_put"), Err(OptionError::Unused));
    assert_eq!(check_option(StoreKind::Folder, "aws_region"), Err(OptionError::OfFolder));
}

#[test]
fn names_tell_which_values_are_secret() {
    for name in [
        "aws_secret_access_key",
        "aws_session_token",
        "aws_sse_customer_key_base64",
        "google_service_account_key",
        "google_bearer_token",
        "azure_storage_account_key",
        "azure_storage_client_secret",
        "azure_storage_sas_key",
        "sas_token",
        "azure_storage_encryption_key",
        "AZURE_STORAGE_ACOUNT_KEY",
        "pasword_key",
    ] {
        assert!(is_secret_option(name), "{name}");
    }
    for name in [
        "aws_access_key_id",
        "aws_sse_kms_key_id",
        "aws_sse_bucket_key_enabled",
        "aws_skip_signature",
        "google_service_account",
        "google_application_credentials",
        "azure_storage_account_name",
        "azure_federated_token_file",
        "azure_credential_type",
        "colour",
    ] {
        assert!(!is_secret_option(name), "{name}");
    }
}
