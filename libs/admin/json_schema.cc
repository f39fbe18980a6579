#include "libs/admin/json_schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace devicetrust::admin {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::ordered_json;

}  // namespace

struct SchemaBuilder::State {
  ordered_json root;
  ordered_json definitions = ordered_json::object();
  std::vector<std::string> hidden;

  ordered_json Reference(const Descriptor& type) {
    Define(type);
    return {{"$ref", "#/$defs/" + type.name()}};
  }

  ordered_json ValueOf(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return {{"type", "boolean"}};
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_UINT32:
        return {{"type", "integer"}};
      case FieldDescriptor::CPPTYPE_ENUM: {
        ordered_json names = ordered_json::array();
        for (int i = 0; i < field.enum_type()->value_count(); ++i) {
          names.push_back(field.enum_type()->value(i)->name());
        }
        return {{"enum", std::move(names)}};
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (field.message_type()->full_name() == "google.protobuf.Duration") {
          return {{"type", "string"}, {"pattern", "^[0-9]+s$"}};
        }
        return Reference(*field.message_type());
      default:
        if (field.type() == FieldDescriptor::TYPE_BYTES) {
          return {{"type", "string"}, {"pattern", "^[A-Za-z0-9+/]*={0,2}$"}};
        }
        return {{"type", "string"}};
    }
  }

  void Define(const Descriptor& type) {
    if (definitions.contains(type.name())) return;
    definitions[type.name()] = nullptr;  // In the order of first use.
    ordered_json properties = ordered_json::object();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const std::string known_as = type.name() + "." + field.name();
      if (std::ranges::find(hidden, known_as) != hidden.end()) continue;
      ordered_json value = ValueOf(field);
      if (field.is_repeated()) value = {{"type", "array"}, {"items", std::move(value)}};
      properties[field.name()] = std::move(value);
    }
    definitions[type.name()] = {
        {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  }
};

SchemaBuilder::SchemaBuilder(std::string title, int version) : state_(std::make_unique<State>()) {
  state_->root = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", std::move(title)},
      {"type", "object"},
      {"additionalProperties", false},
      {"required", {"version"}},
      {"properties", {{"$schema", {{"type", "string"}}}, {"version", {{"enum", {version}}}}}}};
}

SchemaBuilder::~SchemaBuilder() = default;

void SchemaBuilder::Hide(std::vector<std::string> fields) { state_->hidden = std::move(fields); }

void SchemaBuilder::Member(const std::string& name, const Descriptor& type, bool list,
                           bool required) {
  ordered_json value = state_->Reference(type);
  if (list) value = {{"type", "array"}, {"items", std::move(value)}};
  state_->root["properties"][name] = std::move(value);
  if (required) state_->root["required"].push_back(name);
}

std::string SchemaBuilder::Take() {
  state_->root["$defs"] = std::move(state_->definitions);
  return state_->root.dump(2) + "\n";
}

}  // namespace devicetrust::admin
