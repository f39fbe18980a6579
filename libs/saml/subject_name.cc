#include "libs/saml/subject_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"

namespace devicetrust::saml {
namespace {

constexpr std::pair<std::string_view, org::v1::UserField> kDefaultAttributes[] = {
    {"principal", org::v1::USER_FIELD_PRINCIPAL},
    {"email", org::v1::USER_FIELD_EMAIL},
    {"displayName", org::v1::USER_FIELD_DISPLAY_NAME},
    {"givenName", org::v1::USER_FIELD_GIVEN_NAME},
    {"surname", org::v1::USER_FIELD_SURNAME},
    {"groups", org::v1::USER_FIELD_GROUPS},
};

std::string FieldOf(const org::v1::User& user, org::v1::UserField field) {
  switch (field) {
    case org::v1::USER_FIELD_PRINCIPAL:
      return user.principal();
    case org::v1::USER_FIELD_EMAIL:
      return user.email();
    case org::v1::USER_FIELD_DISPLAY_NAME:
      return user.display_name();
    case org::v1::USER_FIELD_GIVEN_NAME:
      return user.given_name();
    case org::v1::USER_FIELD_SURNAME:
      return user.surname();
    case org::v1::USER_FIELD_ACCOUNT_NAME:
      return user.account_name();
    case org::v1::USER_FIELD_SID:
      return user.sid();
    case org::v1::USER_FIELD_USER_ID:
      return user.id();
    default:
      return {};
  }
}

std::vector<std::string> ValuesOf(const org::v1::User& user,
                                  const org::v1::AttributeMapping& mapping) {
  std::vector<std::string> values;
  if (mapping.field() == org::v1::USER_FIELD_GROUPS) {
    for (const std::string& group : user.groups()) {
      if (group.starts_with(mapping.group_prefix())) values.push_back(group);
    }
    return values;
  }
  std::string value = mapping.field() == org::v1::USER_FIELD_UNSPECIFIED
                          ? mapping.value()
                          : FieldOf(user, mapping.field());
  if (!value.empty()) values.push_back(std::move(value));
  return values;
}

std::string_view FormatOf(org::v1::AttributeNameFormat format) {
  switch (format) {
    case org::v1::ATTRIBUTE_NAME_FORMAT_URI:
      return "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
    case org::v1::ATTRIBUTE_NAME_FORMAT_ANY:
      return "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified";
    default:
      return "urn:oasis:names:tc:SAML:2.0:attrname-format:basic";
  }
}

// What an unspecified or emailAddress name is; the principal for who lacks that.
std::string NameValue(const org::v1::User& user, std::string_view format,
                      org::v1::UserField chosen) {
  if (chosen == org::v1::USER_FIELD_UNSPECIFIED) {
    chosen = format == kNameIdEmail ? org::v1::USER_FIELD_EMAIL : org::v1::USER_FIELD_PRINCIPAL;
  }
  std::string value = FieldOf(user, chosen);
  return value.empty() ? user.principal() : value;
}

}  // namespace

bool IsSupportedNameId(std::string_view format) {
  return format == kNameIdUnspecified || format == kNameIdEmail || format == kNameIdPersistent ||
         format == kNameIdTransient;
}

std::string NameIdFormatFor(std::string_view asked, const org::v1::SamlServiceProvider& provider,
                            std::string_view org_default) {
  if (!asked.empty()) return std::string(asked);
  const std::string& chosen = provider.settings().name_id_format();
  if (!chosen.empty()) return chosen;
  for (const std::string& format : provider.name_id_formats()) {
    if (IsSupportedNameId(format)) return format;
  }
  return std::string(org_default.empty() ? kNameIdUnspecified : org_default);
}

NameId NameIdOf(const org::v1::User& user, std::string_view format, const NameScope& scope) {
  NameId name{std::string(format), {}};
  const std::string& sp = scope.provider.entity_id();
  if (format == kNameIdTransient) {
    const auto digest = pki::Sha256(fmt::format("transient\n{}\n{}", scope.session_id, sp));
    name.value = "_" + HexEncode(std::span(digest).first(20));
  } else if (format == kNameIdPersistent) {
    name.value =
        HexEncode(pki::Sha256(fmt::format("{}\n{}\n{}", scope.idp_entity_id, sp, user.id())));
  } else {
    name.value = NameValue(user, format, scope.provider.settings().name_id_field());
  }
  return name;
}

std::string SessionIndexOf(std::string_view session_id, std::string_view sp_entity_id) {
  const pki::Sha256Digest digest = pki::Sha256(fmt::format("{}\n{}", session_id, sp_entity_id));
  return HexEncode(std::span(digest).first(16));
}

std::vector<Attribute> AttributesOf(const org::v1::User& user,
                                    const org::v1::SamlServiceProvider& provider) {
  std::vector<Attribute> attributes;
  const auto add = [&](const org::v1::AttributeMapping& mapping) {
    std::vector<std::string> values = ValuesOf(user, mapping);
    if (values.empty()) return;
    attributes.push_back({mapping.name(), FormatOf(mapping.name_format()), std::move(values)});
  };
  if (!provider.settings().attributes().empty()) {
    std::ranges::for_each(provider.settings().attributes(), add);
    return attributes;
  }
  for (const auto& [name, field] : kDefaultAttributes) {
    org::v1::AttributeMapping mapping;
    mapping.set_name(std::string(name));
    mapping.set_field(field);
    add(mapping);
  }
  return attributes;
}

}  // namespace devicetrust::saml
