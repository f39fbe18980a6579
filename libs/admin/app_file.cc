#include "libs/admin/app_file.h"

#include <utility>

#include "libs/base/ascii.h"
#include "libs/saml/metadata.h"

namespace devicetrust::admin {
namespace {

constexpr std::size_t kIdBytesMax = 64;

std::string IdOf(std::string_view file) {
  file = file.substr(file.rfind('/') + 1);
  std::string id;
  for (const char c : file.substr(0, file.rfind('.'))) {
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

}  // namespace devicetrust::admin
