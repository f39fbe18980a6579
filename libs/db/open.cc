#include "libs/db/open.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "libs/db/sqlite.h"

namespace devicetrust::db {
namespace {

struct Driver {
  std::string_view scheme;
  absl::StatusOr<std::unique_ptr<Store>> (*open)(const std::string& rest);
};
constexpr std::array kDrivers = {Driver{"sqlite:", &OpenSqlite}};

const Driver* DriverOf(const std::string& url) {
  for (const Driver& driver : kDrivers) {
    if (url.size() > driver.scheme.size() && url.starts_with(driver.scheme)) return &driver;
  }
  return nullptr;
}

}  // namespace

absl::Status CheckUrl(const std::string& url) {
  if (DriverOf(url) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("database URL \"{}\" is not sqlite:FILE", url));
}

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& url) {
  DT_RETURN_IF_ERROR(CheckUrl(url));
  const Driver& driver = *DriverOf(url);
  return driver.open(url.substr(driver.scheme.size()));
}

}  // namespace devicetrust::db
