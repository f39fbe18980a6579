#include "libs/admin/diagnosis_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/admin/text.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

struct Mark {
  const char* word;
  const char* ansi;
};

Mark MarkOf(v1::CheckState state) {
  switch (state) {
    case v1::CHECK_STATE_PASSED:
      return {"ok", "32"};
    case v1::CHECK_STATE_FAILED:
      return {"FAILED", "31"};
    default:
      return {"unknown", "2"};
  }
}

std::string TimeOf(const google::protobuf::Timestamp& time) {
  return FormatUtc(rpc::FromTimestamp(time));
}

std::string Headline(const v1::DiagnoseResponse& diagnosis) {
  const auto failed =
      std::ranges::find(diagnosis.checks(), diagnosis.first_failed(), &v1::Check::id);
  if (failed == diagnosis.checks().end()) {
    return diagnosis.remedy().empty()
               ? "No check fails.\n"
               : fmt::format("No check fails. First: {}\n", diagnosis.remedy());
  }
  return fmt::format("{} does not hold: {}.\nFirst: {}\n", failed->title(), failed->finding(),
                     diagnosis.remedy());
}

std::string CertificateLine(const v1::DiagnosedCertificate& certificate) {
  const std::string end = certificate.has_revoked_at()
                              ? "revoked " + TimeOf(certificate.revoked_at())
                              : "until " + TimeOf(certificate.not_after());
  return fmt::format("  {}  device {}  issued {}, {}\n", certificate.serial(),
                     certificate.device_id(), TimeOf(certificate.issued_at()), end);
}

}  // namespace

std::string DiagnosisText(const v1::DiagnoseResponse& diagnosis, Color color) {
  std::string text = Headline(diagnosis);
  if (diagnosis.has_user()) text += fmt::format("user     {}\n", diagnosis.user().principal());
  if (!diagnosis.device_id().empty()) text += fmt::format("device   {}\n", diagnosis.device_id());
  text += "checks\n";
  for (const v1::Check& check : diagnosis.checks()) {
    const Mark mark = MarkOf(check.state());
    std::string word = fmt::format("{:<7}", mark.word);
    if (color == Color::kAlways) word = fmt::format("\x1b[{}m{}\x1b[0m", mark.ansi, word);
    text += fmt::format("  {}  {}: {}\n", word, check.title(), check.finding());
    const bool told = check.id() == diagnosis.first_failed();
    if (!check.remedy().empty() && !told) text += fmt::format("           {}\n", check.remedy());
  }
  if (diagnosis.certificates_size() > 0) text += "certificates, newest first\n";
  for (const v1::DiagnosedCertificate& one : diagnosis.certificates()) text += CertificateLine(one);
  if (diagnosis.events_size() > 0) text += "events, newest first\n";
  for (const v1::Event& event : diagnosis.events()) text += "  " + EventLine(event) + "\n";
  if (diagnosis.has_decision()) text += "sign-in\n" + DecisionText(diagnosis.decision(), color);
  return text;
}

}  // namespace devicetrust::admin
