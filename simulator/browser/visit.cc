#include "simulator/browser/visit.h"

#include <fmt/format.h>

#include <optional>

#include "simulator/browser/html_form.h"
#include "simulator/browser/totp.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr int kHopsMax = 16;  // A visit with all steps takes eight.

absl::Status Unexpected(const Page& page, std::string_view what) {
  std::string said = ElementText(page.response.body, "title");
  if (const std::string code = ElementText(page.response.body, "code"); !code.empty()) {
    said += ", code " + code;
  }
  return absl::InternalError(fmt::format("{}: {} answers {}: {}", what,
                                         page.url.substr(0, page.url.find('?')),
                                         page.response.status, said));
}

// Where a redirect leads decides what it costs: the mTLS hosts do the handshake, and the page
// that brings their proof to the org waits for the decision.
Step StepOf(const std::string& target) {
  const absl::StatusOr<http::Url> url = http::ParseUrl(target);
  if (!url.ok()) return Step::kRequest;
  if (url->target.starts_with("/challenge")) return Step::kChallenge;
  if (url->target.starts_with("/proof")) return Step::kDecision;
  return Step::kRequest;
}

class Walk {
 public:
  explicit Walk(Visit visit) : visit_(std::move(visit)) {}

  Task<absl::StatusOr<VisitEnd>> Run() {
    absl::StatusOr<ServiceProvider::SignOn> sign_on =
        visit_.app->StartSignOn(visit_.binding, visit_.relay_state);
    if (!sign_on.ok()) co_return sign_on.status();
    absl::StatusOr<Page> page = co_await Begin(*std::move(sign_on));
    for (int hop = 0; hop < kHopsMax; ++hop) {
      if (!page.ok()) co_return page.status();
      if (page->IsRedirect()) {
        const std::string target = page->Location();
        const Step step = StepOf(target);
        end_.challenged = end_.challenged || step == Step::kChallenge;
        page = co_await Timed(step, visit_.browser->Get(target));
        continue;
      }
      if (page->response.status == 403) {
        end_.code = ElementText(page->response.body, "code");
        if (end_.code.empty()) co_return Unexpected(*page, "refusal without a code");
        co_return end_;
      }
      std::optional<HtmlForm> form = ParseForm(page->response.body);
      if (page->response.status != 200 || !form.has_value()) {
        co_return Unexpected(*page, "neither form nor refusal");
      }
      if (form->Find("SAMLResponse") != nullptr) co_return Verify(*page, *form);
      absl::StatusOr<Page> next = co_await Answer(*page, *form);
      page = std::move(next);
    }
    co_return absl::InternalError("the sign-in goes round in circles");
  }

 private:
  Task<absl::StatusOr<Page>> Begin(ServiceProvider::SignOn sign_on) {
    if (sign_on.binding == ServiceProvider::Binding::kRedirect) {
      co_return co_await Timed(Step::kRequest, visit_.browser->Get(sign_on.url));
    }
    co_return co_await Timed(
        Step::kRequest, visit_.browser->Post(sign_on.url, sign_on.form_body, /*cross_site=*/true));
  }

  Task<absl::StatusOr<Page>> Timed(Step step, Task<absl::StatusOr<Page>> exchange) {
    const auto begin = Monotonic::now();
    absl::StatusOr<Page> page = co_await std::move(exchange);
    Record(step, begin, page.ok() ? &*page : nullptr);
    co_return page;
  }

  void Record(Step step, Monotonic::time_point begin, const Page* page) {
    const auto took = std::chrono::duration_cast<microseconds>(Monotonic::now() - begin);
    (*visit_.times)[static_cast<std::size_t>(step)].Record(took);
    if (visit_.watch) visit_.watch(step, took, page);
  }

  // Fills in the password or the factor form.
  Task<absl::StatusOr<Page>> Answer(const Page& page, HtmlForm form) {
    if (FormField* code = form.Find("one-time-code"); code != nullptr) {
      if (end_.factor_asked) co_return Unexpected(page, "the second factor was not taken");
      if (visit_.user->totp_secret.empty()) co_return Unexpected(page, "user has no factor");
      end_.factor_asked = true;
      code->value = TotpCode(visit_.user->totp_secret, visit_.clock->Now());
      co_return co_await Timed(
          Step::kFactor, visit_.browser->Post(page.Resolve(form.action), form.Encode(), false));
    }
    FormField* name = form.Find("username");
    FormField* password = form.Find("current-password");
    if (name == nullptr || password == nullptr) co_return Unexpected(page, "unknown form");
    if (password_given_) co_return Unexpected(page, "the password was not taken");
    password_given_ = true;
    name->value = visit_.user->principal;
    password->value = visit_.user->password;
    co_return co_await Timed(Step::kPassword,
                             visit_.browser->Post(page.Resolve(form.action), form.Encode(), false));
  }

  absl::StatusOr<VisitEnd> Verify(const Page& page, HtmlForm& form) {
    const auto begin = Monotonic::now();
    if (page.Resolve(form.action) != visit_.app->config().acs_url) {
      return Unexpected(page, "the response goes elsewhere");
    }
    const FormField* relay_state = form.Find("RelayState");
    absl::StatusOr<Assertion> assertion = visit_.app->FinishSignOn(
        form.Find("SAMLResponse")->value, relay_state == nullptr ? "" : relay_state->value);
    Record(Step::kVerify, begin, nullptr);
    if (!assertion.ok()) return assertion.status();
    end_.allowed = true;
    end_.assertion = *std::move(assertion);
    return end_;
  }

  Visit visit_;
  VisitEnd end_;
  bool password_given_ = false;
};

}  // namespace

std::string_view StepName(Step step) {
  switch (step) {
    case Step::kRequest:
      return "request and page";
    case Step::kPassword:
      return "password (LDAP bind)";
    case Step::kChallenge:
      return "challenge (mTLS handshake)";
    case Step::kDecision:
      return "decision (policy)";
    case Step::kFactor:
      return "second factor (TOTP)";
    case Step::kVerify:
      return "SAML response verified";
  }
  return "";
}

Task<absl::StatusOr<VisitEnd>> OpenApp(Visit visit) {
  Walk walk(std::move(visit));
  co_return co_await walk.Run();
}

}  // namespace devicetrust::simulator
