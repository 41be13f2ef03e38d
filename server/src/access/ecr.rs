//! ECR's actions as types, so that what a handler needs stands in its signature.

use berth_auth::Action;

/// One action of ECR's, as a type.
pub(crate) trait ActionType: Send + Sync + 'static {
    const ACTION: Action;
}

macro_rules! action_types {
    ($($name:ident),* $(,)?) => {$(
        pub(crate) struct $name;

        impl ActionType for $name {
            const ACTION: Action = Action::$name;
        }
    )*};
}

action_types!(
    BatchCheckLayerAvailability,
    BatchDeleteImage,
    BatchGetImage,
    CompleteLayerUpload,
    DescribeRepositories,
    GetDownloadUrlForLayer,
    InitiateLayerUpload,
    ListImageReferrers,
    ListImages,
    ManageUsers,
    PutImage,
    ReadMetrics,
    UploadLayerPart,
);
