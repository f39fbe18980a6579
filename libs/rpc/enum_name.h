// Short names of the contracts' enum values, as people, the System Log and pages see them.
#pragma once

#include <google/protobuf/generated_enum_reflection.h>

#include <optional>
#include <string>
#include <string_view>

namespace devicetrust::rpc {

// The name of value `number` without its enum's prefix: "COMPUTER_DISABLED" for
// REASON_COMPUTER_DISABLED. A number that this release does not know gives its digits.
std::string EnumName(const google::protobuf::EnumDescriptor& type, int number);

// The number of the value with this short name; nothing when there is none.
std::optional<int> EnumNumber(const google::protobuf::EnumDescriptor& type, std::string_view name);

template <typename Enum>
std::string EnumName(Enum value) {
  return EnumName(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

template <typename Enum>
std::optional<Enum> EnumNamed(std::string_view name) {
  const std::optional<int> number = EnumNumber(*google::protobuf::GetEnumDescriptor<Enum>(), name);
  if (!number) return std::nullopt;
  return static_cast<Enum>(*number);
}

}  // namespace devicetrust::rpc
