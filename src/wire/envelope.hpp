// What stands around an answer: the elements of the EC2 and the Query protocol, and their error documents.
#pragma once

#include <string>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/schema.hpp"
#include "wire/xml_writer.hpp"

namespace brume::wire {

struct Envelope {
  schema::Protocol protocol = schema::Protocol::ec2;
  std::string_view action;
  std::string_view version;        // ec2: as the client asked, "2011-12-01"; a date that was checked, it goes into the namespace
  std::string_view xml_namespace;  // query: schema::Service::xml_namespace
  std::string_view request_id;
  bool has_result = true;  // query: whether the operation has an output shape
};

// What the answer's own members come between.
void open_answer(XmlWriter& xml, const Envelope& envelope);
void close_answer(XmlWriter& xml, const Envelope& envelope);

// A whole document of a generated answer type:
//   std::string body = answer_document(envelope, [&](XmlWriter& xml) { write(xml, answer); });
template <class WriteAnswer>
std::string answer_document(const Envelope& envelope, WriteAnswer&& write_answer, size_t reserve = 1024) {
  const int version = envelope.protocol == schema::Protocol::ec2 ? schema::version_number(envelope.version) : XmlWriter::newest_version;
  XmlWriter xml(version, reserve);
  xml.set_whole_seconds(envelope.protocol != schema::Protocol::ec2);
  open_answer(xml, envelope);
  write_answer(xml);
  close_answer(xml, envelope);
  return xml.take();
}

// The error document of the envelope's protocol. Query: Sender below status 500, Receiver from there on.
// `details`: elements that an error shape has besides code and message, as markup.
std::string error_document(const Envelope& envelope, const ApiError& error, std::string_view details = {});

}  // namespace brume::wire
