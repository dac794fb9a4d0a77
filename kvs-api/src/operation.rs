//! The operations: names, paths and request members.

use crate::shape::{self, Member};

/// An operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Creates a stream.
    CreateStream,
    /// Describes a stream.
    DescribeStream,
    /// Lists the streams of an account and region.
    ListStreams,
    /// Changes a stream's device name or media type.
    UpdateStream,
    /// Changes a stream's retention period.
    UpdateDataRetention,
    /// Returns the storage tier of a stream's data.
    DescribeStreamStorageConfiguration,
    /// Changes the storage tier of a stream's data.
    UpdateStreamStorageConfiguration,
    /// Deletes a stream.
    DeleteStream,
    /// Sets tags of a stream.
    TagStream,
    /// Removes tags of a stream.
    UntagStream,
    /// Lists the tags of a stream.
    ListTagsForStream,
    /// Returns the endpoint that serves a data operation of a stream.
    GetDataEndpoint,
    /// Returns a stream's chunks from a start selector on.
    GetMedia,
    /// Accepts a producer's media.
    PutMedia,
    /// Lists archived fragments of a time range.
    ListFragments,
    /// Returns archived fragments by their numbers.
    GetMediaForFragmentList,
}

impl Operation {
    /// All operations.
    pub const ALL: &'static [Self] = &[
        Self::CreateStream,
        Self::DescribeStream,
        Self::ListStreams,
        Self::UpdateStream,
        Self::UpdateDataRetention,
        Self::DescribeStreamStorageConfiguration,
        Self::UpdateStreamStorageConfiguration,
        Self::DeleteStream,
        Self::TagStream,
        Self::UntagStream,
        Self::ListTagsForStream,
        Self::GetDataEndpoint,
        Self::GetMedia,
        Self::PutMedia,
        Self::ListFragments,
        Self::GetMediaForFragmentList,
    ];

    /// Returns the operation's name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateStream => "CreateStream",
            Self::DescribeStream => "DescribeStream",
            Self::ListStreams => "ListStreams",
            Self::UpdateStream => "UpdateStream",
            Self::UpdateDataRetention => "UpdateDataRetention",
            Self::DescribeStreamStorageConfiguration => "DescribeStreamStorageConfiguration",
            Self::UpdateStreamStorageConfiguration => "UpdateStreamStorageConfiguration",
            Self::DeleteStream => "DeleteStream",
            Self::TagStream => "TagStream",
            Self::UntagStream => "UntagStream",
            Self::ListTagsForStream => "ListTagsForStream",
            Self::GetDataEndpoint => "GetDataEndpoint",
            Self::GetMedia => "GetMedia",
            Self::PutMedia => "PutMedia",
            Self::ListFragments => "ListFragments",
            Self::GetMediaForFragmentList => "GetMediaForFragmentList",
        }
    }

    /// Returns the path of the operation's URL. The method is always POST.
    pub fn path(self) -> &'static str {
        match self {
            Self::CreateStream => "/createStream",
            Self::DescribeStream => "/describeStream",
            Self::ListStreams => "/listStreams",
            Self::UpdateStream => "/updateStream",
            Self::UpdateDataRetention => "/updateDataRetention",
            Self::DescribeStreamStorageConfiguration => "/describeStreamStorageConfiguration",
            Self::UpdateStreamStorageConfiguration => "/updateStreamStorageConfiguration",
            Self::DeleteStream => "/deleteStream",
            Self::TagStream => "/tagStream",
            Self::UntagStream => "/untagStream",
            Self::ListTagsForStream => "/listTagsForStream",
            Self::GetDataEndpoint => "/getDataEndpoint",
            Self::GetMedia => "/getMedia",
            Self::PutMedia => "/putMedia",
            Self::ListFragments => "/listFragments",
            Self::GetMediaForFragmentList => "/getMediaForFragmentList",
        }
    }

    /// Returns the operation with this path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.path() == path)
    }

    /// Returns the operation with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// Returns GetDataEndpoint's name for a data operation, or `None` for a control operation.
    pub fn endpoint_name(self) -> Option<&'static str> {
        match self {
            Self::GetMedia => Some("GET_MEDIA"),
            Self::PutMedia => Some("PUT_MEDIA"),
            Self::ListFragments => Some("LIST_FRAGMENTS"),
            Self::GetMediaForFragmentList => Some("GET_MEDIA_FOR_FRAGMENT_LIST"),
            _ => None,
        }
    }

    /// Returns whether a request may identify its stream by this ARN. The models of GetMedia and PutMedia accept only ARNs
    /// of the partition `aws`; streams of other partitions have to be identified by name there.
    pub fn takes_arn(self, arn: &str) -> bool {
        match self {
            Self::GetMedia | Self::PutMedia => arn.starts_with("arn:aws:"),
            Self::ListStreams | Self::CreateStream => false,
            _ => true,
        }
    }

    /// Returns whether a request has to have StreamName or StreamARN.
    pub(crate) fn names_a_stream(self) -> bool {
        !matches!(self, Self::CreateStream | Self::ListStreams | Self::DeleteStream)
    }

    /// Returns the members of a request.
    pub(crate) fn members(self) -> &'static [Member] {
        match self {
            Self::CreateStream => shape::CREATE_STREAM,
            Self::DescribeStream | Self::DescribeStreamStorageConfiguration => shape::STREAM,
            Self::ListStreams => shape::LIST_STREAMS,
            Self::UpdateStream => shape::UPDATE_STREAM,
            Self::UpdateDataRetention => shape::UPDATE_DATA_RETENTION,
            Self::UpdateStreamStorageConfiguration => shape::UPDATE_STORAGE,
            Self::DeleteStream => shape::DELETE_STREAM,
            Self::TagStream => shape::TAG_STREAM,
            Self::UntagStream => shape::UNTAG_STREAM,
            Self::ListTagsForStream => shape::LIST_TAGS,
            Self::GetDataEndpoint => shape::GET_DATA_ENDPOINT,
            Self::GetMedia => shape::GET_MEDIA,
            Self::PutMedia => shape::PUT_MEDIA,
            Self::ListFragments => shape::LIST_FRAGMENTS,
            Self::GetMediaForFragmentList => shape::GET_MEDIA_FOR_FRAGMENT_LIST,
        }
    }
}
