// The codecs that there are, each made in a file of its name; codec.cpp puts them in order.
#pragma once

namespace brume::wire {

class Codec;

const Codec& ec2_codec();  // recognises all forms; those of other services go on with query_codec
const Codec& query_codec();
const Codec& json_1_0_codec();
const Codec& json_1_1_codec();
const Codec& rest_json_codec();
const Codec& rest_xml_codec();  // only refuses, in S3's words
const Codec& cbor_codec();

}  // namespace brume::wire
