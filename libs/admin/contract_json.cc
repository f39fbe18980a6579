#include "libs/admin/contract_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "libs/admin/json_text.h"
#include "libs/base/printable.h"

namespace devicetrust::admin {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::ordered_json;

absl::Status FieldError(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(path.empty() ? what : fmt::format("{}: {}", path, what));
}

std::string FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string ValueNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return fmt::format("{}", fmt::join(names, ", "));
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  const FieldDescriptor* const field = type.FindFieldByName(name);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(name);
}

absl::Status CheckObject(const ordered_json& object, const Descriptor& type,
                         const std::string& path);

// One value, or one element of a repeated field.
absl::Status CheckValue(const ordered_json& value, const FieldDescriptor& field,
                        const std::string& path) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return value.is_boolean() ? absl::OkStatus() : FieldError(path, "must be true or false");
    case FieldDescriptor::CPPTYPE_STRING:
      return value.is_string() ? absl::OkStatus() : FieldError(path, "must be text in quotes");
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumDescriptor& type = *field.enum_type();
      if (value.is_string() && type.FindValueByName(value.get<std::string>()) != nullptr) {
        return absl::OkStatus();
      }
      return FieldError(path, fmt::format("{} is none of {}", value.dump(), ValueNames(type)));
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Descriptor& type = *field.message_type();
      const bool is_text = type.full_name().starts_with("google.protobuf.");  // "300s", a time.
      if (!is_text) return CheckObject(value, type, path);
      return value.is_string() ? absl::OkStatus()
                               : FieldError(path, "must be text in quotes, such as \"300s\"");
    }
    default:
      return absl::OkStatus();  // Numbers: protobuf has the last word.
  }
}

absl::Status CheckObject(const ordered_json& object, const Descriptor& type,
                         const std::string& path) {
  if (!object.is_object()) {
    return FieldError(path, fmt::format("must be an object with {}", FieldNames(type)));
  }
  for (const auto& [name, value] : object.items()) {
    const FieldDescriptor* const field = FindField(type, name);
    if (field == nullptr) {
      return FieldError(
          path, fmt::format("there is no field \"{}\"; the fields are {}", name, FieldNames(type)));
    }
    const std::string inside = path.empty() ? name : path + "." + name;
    if (!field->is_repeated()) {
      if (absl::Status status = CheckValue(value, *field, inside); !status.ok()) return status;
      continue;
    }
    if (!value.is_array()) return FieldError(inside, "must be a list: [ … ]");
    for (const ordered_json& element : value) {
      if (absl::Status status = CheckValue(element, *field, inside); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// `rule 2 "Windows, trusted"`.
std::string Label(std::string_view noun, std::size_t number, const ordered_json& element) {
  std::string label = fmt::format("{} {}", noun, number);
  if (element.is_object() && element.contains("name") && element["name"].is_string()) {
    label += fmt::format(" \"{}\"", element["name"].get<std::string>());
  }
  return label;
}

}  // namespace

absl::Status MessagesFromJson(const std::string& file, std::string_view text, std::string_view noun,
                              const std::function<google::protobuf::Message&()>& add) {
  DT_ASSIGN_OR_RETURN(const ordered_json list, ParseJsonArray(file, text));
  std::size_t number = 0;
  for (const ordered_json& element : list) {
    const absl::Status status = MessageFromJson(element, add());
    ++number;
    if (status.ok()) continue;
    return absl::InvalidArgumentError(fmt::format("{}: {}: {}", file, Label(noun, number, element),
                                                  std::string(status.message())));
  }
  return absl::OkStatus();
}

absl::Status MessageFromJson(const ordered_json& element, google::protobuf::Message& message) {
  DT_RETURN_IF_ERROR(CheckObject(element, *message.GetDescriptor(), ""));
  const auto parsed = google::protobuf::util::JsonStringToMessage(element.dump(), &message);
  if (parsed.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(std::string(parsed.message()));
}

std::string MessageToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) json = "{}";
  return json;
}

std::string MessagesToJson(const std::vector<const google::protobuf::Message*>& messages) {
  ordered_json list = ordered_json::array();
  for (const google::protobuf::Message* const message : messages) {
    list.push_back(ordered_json::parse(MessageToJson(*message), nullptr,
                                       /*allow_exceptions=*/false));
  }
  return PrintableJson(list.dump(2)) + "\n";
}

}  // namespace devicetrust::admin
