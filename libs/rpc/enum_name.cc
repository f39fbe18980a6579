#include "libs/rpc/enum_name.h"

#include <google/protobuf/descriptor.h>

#include "libs/base/check.h"

namespace devicetrust::rpc {
namespace {

constexpr std::string_view kZeroSuffix = "UNSPECIFIED";

// "REASON_", from the zero value REASON_UNSPECIFIED, which every enum of the contracts has.
std::string_view PrefixOf(const google::protobuf::EnumDescriptor& type) {
  const std::string_view zero = type.value(0)->name();
  DT_CHECK(zero.ends_with(kZeroSuffix));
  return zero.substr(0, zero.size() - kZeroSuffix.size());
}

}  // namespace

std::string EnumName(const google::protobuf::EnumDescriptor& type, int number) {
  const google::protobuf::EnumValueDescriptor* value = type.FindValueByNumber(number);
  if (value == nullptr) return std::to_string(number);
  return value->name().substr(PrefixOf(type).size());
}

std::optional<int> EnumNumber(const google::protobuf::EnumDescriptor& type, std::string_view name) {
  const google::protobuf::EnumValueDescriptor* value =
      type.FindValueByName(std::string(PrefixOf(type)) + std::string(name));
  if (value == nullptr) return std::nullopt;
  return value->number();
}

}  // namespace devicetrust::rpc
