//! The objects: files of `s3s-fs`, listed the way real services list them.

use hyper::HeaderMap;
use hyper::http::Extensions;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefixList, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput,
    DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, EncodingType, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
    HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, ObjectList, PutObjectInput, PutObjectOutput,
    UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;

pub(super) struct Store(pub(super) FileSystem);

/// Implements [`S3`] with methods of one's own, and hands the rest to the file system.
macro_rules! store {
    ($($method:ident: $input:ident => $output:ident,)* ; $($own:tt)*) => {
        #[async_trait::async_trait]
        impl S3 for Store {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.0.$method(request).await
            })*
            $($own)*
        }
    };
}

store! {
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
    copy_object: CopyObjectInput => CopyObjectOutput,
    create_bucket: CreateBucketInput => CreateBucketOutput,
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
    delete_bucket: DeleteBucketInput => DeleteBucketOutput,
    delete_object: DeleteObjectInput => DeleteObjectOutput,
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput,
    get_object: GetObjectInput => GetObjectOutput,
    head_bucket: HeadBucketInput => HeadBucketOutput,
    head_object: HeadObjectInput => HeadObjectOutput,
    list_buckets: ListBucketsInput => ListBucketsOutput,
    list_parts: ListPartsInput => ListPartsOutput,
    put_object: PutObjectInput => PutObjectOutput,
    upload_part: UploadPartInput => UploadPartOutput,
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput,
    ;

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let mut response = self.0.list_objects(request).await?;
        let output = &mut response.output;
        if wants_url(output.encoding_type.as_ref()) {
            encode_keys(output.contents.as_mut(), output.common_prefixes.as_mut());
            encode_all([&mut output.prefix, &mut output.delimiter, &mut output.marker, &mut output.next_marker]);
        }
        Ok(response)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let (bucket, method, uri) = (request.input.bucket.clone(), request.method.clone(), request.uri.clone());
        let mut response = self.0.list_objects_v2(request).await?;
        let output = &mut response.output;
        // With it, a client need not ask for each object that it has listed.
        for object in output.contents.iter_mut().flatten() {
            let head = HeadObjectInput { bucket: bucket.clone(), key: object.key.clone().unwrap_or_default(), ..Default::default() };
            let (method, uri, headers, extensions) = (method.clone(), uri.clone(), HeaderMap::new(), Extensions::new());
            let (credentials, region, service, trailing_headers) = (None, None, None, None);
            let head =
                S3Request { input: head, method, uri, headers, extensions, credentials, region, service, trailing_headers };
            object.e_tag = self.0.head_object(head).await?.output.e_tag;
        }
        if wants_url(output.encoding_type.as_ref()) {
            encode_keys(output.contents.as_mut(), output.common_prefixes.as_mut());
            encode_all([&mut output.prefix, &mut output.delimiter, &mut output.start_after]);
        }
        Ok(response)
    }
}

fn wants_url(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL)
}

fn encode_keys(objects: Option<&mut ObjectList>, prefixes: Option<&mut CommonPrefixList>) {
    encode_all(objects.into_iter().flatten().map(|object| &mut object.key));
    encode_all(prefixes.into_iter().flatten().map(|prefix| &mut prefix.prefix));
}

fn encode_all<'a>(texts: impl IntoIterator<Item = &'a mut Option<String>>) {
    for text in texts.into_iter().flatten() {
        *text = percent_encode(text);
    }
}

/// As Amazon does for `encoding-type=url`: `/` stays.
fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encode).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_encoded_but_for_slashes() {
        assert_eq!(super::percent_encode("a/year=2024/ä b%.parquet"), "a/year%3D2024/%C3%A4%20b%25.parquet");
    }
}
