// gRPC's messages as JSON and back, by the descriptors of the contracts: which methods the console
// has, what a request means, how an answer and an error read. Pure: no I/O. Fuzzed.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/access/v1/access.pb.h"
#include "libs/base/status.h"

namespace devicetrust::gateway {

// "devicetrust.org.v1.AppService/ListApps". Null: no such method, or its proto does not give it to
// the console.
const google::protobuf::MethodDescriptor* FindConsoleMethod(std::string_view name);
// The names of those that a role may call, in order.
std::vector<std::string> ConsoleMethodsOf(access::v1::Role role);

// A JSON object (RFC 8259) as a message on the wire, in protobuf's JSON mapping, with the names of
// the proto. Empty text is an empty message. kInvalidArgument, MALFORMED_REQUEST: no such JSON, a
// field that there is not, a value of another kind.
absl::StatusOr<std::string> ToWire(const google::protobuf::Descriptor& type, std::string_view json);
// The reverse, in one line. Fields with their default value are left out, 64-bit numbers are texts,
// octets are base64. kDataLoss: `wire` is no message of that type.
absl::StatusOr<std::string> ToJson(const google::protobuf::Descriptor& type, std::string_view wire);

// {"reason":"RULE_INVALID","message":"…","subject":"…","remedy":"…","retry_after_seconds":3}; what
// is empty is left out.
std::string ErrorJson(const absl::Status& status);

}  // namespace devicetrust::gateway
