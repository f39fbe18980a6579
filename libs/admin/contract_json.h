// Files of messages of the contract, as an administrator writes them: a JSON array in protobuf's
// JSON mapping, with the field names of the proto.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::admin {

// Reads the array in `text` into messages that `add` makes, one an element.
//
// kInvalidArgument, naming `file`, the element ("rule 2 \"Windows, trusted\"", `noun` being "rule")
// and the field: no JSON (with line and column), no array of objects, a field that the message does
// not have (with those that it has), a value of another kind, an unknown name of an enumeration
// (with those that there are).
absl::Status MessagesFromJson(const std::string& file, std::string_view text, std::string_view noun,
                              const std::function<google::protobuf::Message&()>& add);

// Reads one element; errors as above, from the field on.
absl::Status MessageFromJson(const nlohmann::ordered_json& element,
                             google::protobuf::Message& message);
// One element, as MessagesToJson() has it.
std::string MessageToJson(const google::protobuf::Message& message);

// The same form, indented for people; fields with their default value are left out.
std::string MessagesToJson(const std::vector<const google::protobuf::Message*>& messages);

}  // namespace devicetrust::admin
