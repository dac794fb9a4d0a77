//! The operations.

use crate::shape::{self, Member};

/// An operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Makes a stream.
    CreateStream,
    /// Says what a stream is.
    DescribeStream,
    /// Lists the streams of an account and region.
    ListStreams,
    /// Changes a stream's device name or media type.
    UpdateStream,
    /// Changes how long a stream keeps its data.
    UpdateDataRetention,
    /// Says on which storage tier a stream's data is kept.
    DescribeStreamStorageConfiguration,
    /// Changes on which storage tier a stream's data is kept.
    UpdateStreamStorageConfiguration,
    /// Removes a stream.
    DeleteStream,
    /// Sets tags of a stream.
    TagStream,
    /// Removes tags of a stream.
    UntagStream,
    /// Lists the tags of a stream.
    ListTagsForStream,
    /// Says where a stream's data operations are served.
    GetDataEndpoint,
    /// A stream's chunks, from a start selector on.
    GetMedia,
    /// Takes a producer's media.
    PutMedia,
    /// Lists archived fragments of a time range.
    ListFragments,
    /// Archived fragments by their numbers.
    GetMediaForFragmentList,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 16] = [
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

    /// Its name in the API.
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

    /// The path of its URL; all are POST.
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

    /// The operation of a path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.path() == path)
    }

    /// The operation of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// What GetDataEndpoint calls it, for the operations on data.
    pub fn endpoint_name(self) -> Option<&'static str> {
        match self {
            Self::GetMedia => Some("GET_MEDIA"),
            Self::PutMedia => Some("PUT_MEDIA"),
            Self::ListFragments => Some("LIST_FRAGMENTS"),
            Self::GetMediaForFragmentList => Some("GET_MEDIA_FOR_FRAGMENT_LIST"),
            _ => None,
        }
    }

    /// Whether a request may name its stream by ARN, and of which partitions: GetMedia's and PutMedia's models take
    /// only those of the partition `aws`; others have to be named there by their name.
    pub fn takes_arn(self, arn: &str) -> bool {
        match self {
            Self::GetMedia | Self::PutMedia => arn.starts_with("arn:aws:"),
            Self::ListStreams | Self::CreateStream => false,
            _ => true,
        }
    }

    /// Whether one of StreamName and StreamARN has to be there.
    pub(crate) fn names_a_stream(self) -> bool {
        !matches!(self, Self::CreateStream | Self::ListStreams | Self::DeleteStream)
    }

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
