#include "libs/admin/app_file.h"

#include <utility>

#include "libs/base/ascii.h"
#include "libs/rpc/error.h"
#include "libs/saml/encryption.h"
#include "libs/saml/metadata.h"
#include "libs/saml/response.h"
#include "libs/wsfed/metadata.h"

namespace devicetrust::admin {
namespace {

constexpr std::size_t kIdBytesMax = 64;

std::string IdFrom(std::string_view name) {
  std::string id;
  for (const char c : name) {
    if (id.size() == kIdBytesMax) break;
    if (IsAlnum(c)) {
      id += ToLower(c);
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  while (id.ends_with('-')) id.pop_back();
  return id.empty() ? "app" : id;
}

std::string IdOf(std::string_view file) {
  file = file.substr(file.rfind('/') + 1);
  return IdFrom(file.substr(0, file.rfind('.')));
}

}  // namespace

absl::StatusOr<org::v1::App> AppFromMetadata(const std::string& file, std::string_view metadata,
                                             WallTime now) {
  auto provider = saml::ParseServiceProvider(metadata, now);
  if (!provider.ok()) return Annotate(provider.status(), file);
  org::v1::App app;
  app.set_id(IdOf(file));
  app.set_label(provider->display_name.empty() ? app.id() : provider->display_name);
  *app.mutable_saml() = std::move(provider->saml);
  return app;
}

absl::StatusOr<org::v1::App> AppFromFederationMetadata(const std::string& file,
                                                       std::string_view metadata, WallTime now) {
  auto read = wsfed::ParseRelyingParty(metadata, now);
  if (!read.ok()) return Annotate(read.status(), file);
  org::v1::App app;
  app.set_id(IdOf(file));
  app.set_label(read->display_name.empty() ? app.id() : read->display_name);
  *app.mutable_ws_fed() = std::move(read->party);
  return app;
}

org::v1::App AppOfRealm(const std::string& realm, const std::vector<std::string>& reply_urls) {
  std::string_view name = realm;
  while (name.ends_with('/') || name.ends_with(':')) name.remove_suffix(1);
  org::v1::App app;
  app.set_id(IdFrom(name.substr(name.find_last_of("/:") + 1)));
  app.set_label(app.id());
  app.mutable_ws_fed()->set_realm(realm);
  for (const std::string& url : reply_urls) app.mutable_ws_fed()->add_reply_urls(url);
  return app;
}

absl::Status CheckEncryption(const org::v1::SamlServiceProvider& saml) {
  if (!saml::Encrypts(saml)) return absl::OkStatus();
  const auto choice = saml::ChooseEncryption(saml.encryption_key());
  if (choice.ok()) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        std::string(choice.status().message()), saml.entity_id(),
                        "Let the app list other methods, or go without: --encryption never.");
}

}  // namespace devicetrust::admin
