#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "tools/dtctl/text.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

constexpr int kUsageError = 2;

const std::map<std::string, ca::v1::RevocationReason>& ReasonWords() {
  static const std::map<std::string, ca::v1::RevocationReason> words = {
      {"unspecified", ca::v1::REVOCATION_REASON_UNSPECIFIED},
      {"key-compromise", ca::v1::REVOCATION_REASON_KEY_COMPROMISE},
      {"affiliation-changed", ca::v1::REVOCATION_REASON_AFFILIATION_CHANGED},
      {"superseded", ca::v1::REVOCATION_REASON_SUPERSEDED},
      {"cessation-of-operation", ca::v1::REVOCATION_REASON_CESSATION_OF_OPERATION},
      {"privilege-withdrawn", ca::v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN}};
  return words;
}

std::string Plural(std::ptrdiff_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// Names the object and asks. 0: go on; else the exit code.
int Confirm(const std::string& what, bool yes) {
  if (yes) return 0;
  if (isatty(STDIN_FILENO) == 0) {
    std::cerr << "dtctl: this would " << what << "\n"
              << "       Nothing was done. Add --yes to do it without being asked.\n";
    return kUsageError;
  }
  std::cerr << "About to " << what << ". It cannot be undone.\nGo on? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return 0;
  std::cerr << "Nothing was done.\n";
  return EXIT_FAILURE;
}

int RevokeUser(AdminClient& client, const RevokeOptions& options) {
  const auto user = client.GetUser(options.user);
  if (!user.ok()) return Failed(user.status());
  ca::v1::ListCertificatesRequest filter;
  filter.set_user_id(user->id());
  const auto certificates = client.ListCertificates(filter);
  if (!certificates.ok()) return Failed(certificates.status());
  const auto live = std::count_if(certificates->begin(), certificates->end(),
                                  [](const auto& c) { return !c.has_revoked_at(); });

  // Also with none left: the call leaves the barrier against enrollments in flight.
  const std::string what =
      fmt::format("revoke {} of {}", Plural(live, "certificate"), PersonText(*user));
  if (const int code = Confirm(what, options.yes); code != 0) return code;

  ca::v1::RevokeForUserRequest request;
  request.set_user_id(user->id());
  request.set_reason(ReasonWords().at(options.reason));
  request.set_requested_by(client.admin_name());
  const auto answer = client.RevokeForUser(request);
  if (!answer.ok()) return Failed(answer.status());
  if (options.json) {
    std::cout << ToJson(*answer) << "\n";
  } else {
    std::cout << fmt::format("{} of {} revoked.\n", Plural(answer->revoked(), "certificate"),
                             PersonText(*user));
  }
  return EXIT_SUCCESS;
}

// As certificates and the System Log show it; openssl prints 4A1F03 or 4a:1f:03.
std::string PlainSerial(std::string serial) {
  std::erase(serial, ':');
  for (char& c : serial) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return serial;
}

int RevokeSerial(AdminClient& client, const RevokeOptions& options) {
  const std::string serial = PlainSerial(options.serial);
  ca::v1::ListCertificatesRequest filter;
  filter.set_serial(serial);
  const auto certificates = client.ListCertificates(filter);
  if (!certificates.ok()) return Failed(certificates.status());
  std::string owner = "a user that the org does not know";
  if (!certificates->empty()) {
    const auto user = client.GetUser(certificates->front().user_id());
    if (user.ok()) owner = PersonText(*user);
  }
  const std::string what = certificates->empty()
                               ? fmt::format("revoke certificate {}", serial)
                               : fmt::format("revoke certificate {} of {}", serial, owner);
  if (const int code = Confirm(what, options.yes); code != 0) return code;

  ca::v1::RevokeCertificateRequest request;
  request.set_serial(serial);
  request.set_reason(ReasonWords().at(options.reason));
  request.set_requested_by(client.admin_name());
  const auto answer = client.RevokeCertificate(request);
  if (!answer.ok()) return Failed(answer.status());
  if (options.json) {
    std::cout << ToJson(*answer) << "\n";
  } else {
    std::cout << fmt::format("Certificate {} {}.\n", serial,
                             answer->was_already_revoked() ? "was revoked before" : "revoked");
  }
  return EXIT_SUCCESS;
}

}  // namespace

std::vector<std::string> RevocationReasons() {
  std::vector<std::string> words;
  for (const auto& [word, number] : ReasonWords()) words.push_back(word);
  return words;
}

int Revoke(AdminClient& client, const RevokeOptions& options) {
  if (options.user.empty() && options.serial.empty()) {
    std::cerr << "dtctl: --user and --serial name somebody or something; this is an empty word.\n";
    return kUsageError;
  }
  return options.user.empty() ? RevokeSerial(client, options) : RevokeUser(client, options);
}

}  // namespace devicetrust::ctl
