#include "libs/testing/soft_hsm.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "libs/base/check.h"
#include "libs/base/files.h"

namespace devicetrust::testing {
namespace {

constexpr const char* kModules[] = {"/usr/lib/softhsm/libsofthsm2.so",
                                    "/usr/lib64/pkcs11/libsofthsm2.so"};

void Run(const std::string& arguments) {
  const std::string command = "softhsm2-util " + arguments + " >/dev/null";
  DT_CHECK(std::system(command.c_str()) == 0);  // NOLINT: a test's own words.
}

}  // namespace

bool SoftHsm::IsInstalled() {
  return std::system("command -v softhsm2-util >/dev/null") == 0;  // NOLINT
}

SoftHsm& SoftHsm::Shared() {
  static SoftHsm hsm;
  return hsm;
}

SoftHsm::SoftHsm() {
  DT_CHECK(WriteFileAtomically(configuration(),
                               fmt::format("directories.tokendir = {}\nobjectstore.backend = file\n"
                                           "log.level = ERROR\nslots.removable = true\n",
                                           folder_ / "tokens"))
               .ok());
  DT_CHECK(WriteFileAtomically(pin_file(), std::string(kPin) + "\n").ok());
  std::filesystem::create_directory(folder_ / "tokens");
  setenv("SOFTHSM2_CONF", configuration().c_str(), 1);
  setenv("DT_TEST_PKCS11_MODULE", module().c_str(), 1);
  for (int number = 1; number <= 4; ++number) {
    Run(fmt::format("--init-token --free --label token-{} --so-pin 12345678 --pin '{}'", number,
                    kPin));
  }
}

void SoftHsm::Import(const std::string& token, const std::string& id, const std::string& label,
                     std::string_view pem) {
  const std::string file = folder_ / "key.pem";
  DT_CHECK(WriteFileAtomically(file, pem).ok());
  Run(fmt::format("--import {} --token {} --id {} --label {} --pin '{}' --force", file, token, id,
                  label, kPin));
  std::filesystem::remove(file);
}

void SoftHsm::PullOut() { std::filesystem::rename(folder_ / "tokens", folder_ / "away"); }

void SoftHsm::PutBack() {
  if (!std::filesystem::exists(folder_ / "away")) return;
  std::filesystem::rename(folder_ / "away", folder_ / "tokens");
}

std::string SoftHsm::module() const {
  for (const char* path : kModules) {
    if (std::filesystem::exists(path)) return path;
  }
  return "libsofthsm2.so";
}

std::string SoftHsm::WrapperModule() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "dt_test_pkcs11.so";
}

}  // namespace devicetrust::testing
