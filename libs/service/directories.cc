#include "libs/service/directories.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "libs/base/files.h"
#include "libs/directory/client.h"

namespace devicetrust::service {
namespace {

constexpr std::size_t kPasswordBytesMax = 1024;

absl::StatusOr<std::string> ReadPassword(const std::string& path) {
  DT_RETURN_IF_ERROR(RefuseIfShared(path));
  DT_ASSIGN_OR_RETURN(std::string password, ReadFile(path, kPasswordBytesMax));
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  return password;
}

absl::StatusOr<directory::Config> LoadClient(const DirectoryConfig& config) {
  directory::Config client;
  client.url = config.url;
  client.ca_file = config.ca;
  client.domain = config.domain;
  client.bind_name = config.bind_dn;
  client.check_connections_max = config.connections;
  client.search_connections_max = config.connections;
  DT_RETURN_IF_ERROR(Annotate(ReadFile(config.ca).status(), "ca"));
  auto password = ReadPassword(config.password_file);
  if (!password.ok()) return Annotate(password.status(), "password-file");
  client.bind_password = *std::move(password);
  return client;
}

absl::StatusOr<directory::Domain> LoadDomain(const DirectoryConfig& config) {
  DT_ASSIGN_OR_RETURN(directory::Config client, LoadClient(config));
  DT_ASSIGN_OR_RETURN(auto directory, directory::LdapDirectory::Create(std::move(client)));
  return directory::Domain{
      config.domain,       config.netbios_name,
      config.domain_sid,   config.forest.empty() ? config.domain : config.forest,
      config.upn_suffixes, std::move(directory)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<directory::Registry>> LoadDirectories(
    const DirectoriesConfig& config) {
  std::vector<directory::Domain> domains;
  for (const DirectoryConfig& each : config.directories) {
    auto domain = LoadDomain(each);
    if (!domain.ok()) {
      return Annotate(domain.status(), fmt::format("--directory {}", each.domain));
    }
    domains.push_back(*std::move(domain));
  }
  auto registry = directory::Registry::Create(std::move(domains));
  if (!registry.ok()) return Annotate(registry.status(), "--directory");
  return registry;
}

absl::StatusOr<std::unique_ptr<directory::Listing>> LoadListing(const DirectoryConfig& config) {
  auto client = LoadClient(config);
  if (!client.ok()) return Annotate(client.status(), fmt::format("--directory {}", config.domain));
  return directory::MakeLdapListing(*std::move(client));
}

}  // namespace devicetrust::service
