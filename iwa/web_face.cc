#include "iwa/web_face.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "iwa/metrics.h"
#include "iwa/refusals.h"
#include "libs/base/ascii.h"
#include "libs/base/client_network.h"
#include "libs/base/encoding.h"
#include "libs/base/log_sparsely.h"
#include "libs/base/printable.h"
#include "libs/kerberos/acceptor.h"
#include "libs/pki/server_end_point.h"
#include "libs/pki/tls_context.h"
#include "libs/rpc/error.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/result_label.h"

namespace devicetrust::iwa {
namespace {

constexpr std::string_view kPath = "/iwa/whoami";
constexpr std::string_view kNegotiate = "Negotiate";
// Base64 of "NTLMSSP\0", without its last octets: how each message of NTLM begins.
constexpr std::string_view kNtlm = "TlRMTVNTU";
constexpr std::size_t kConnectionsMax = 64;
constexpr std::size_t kConnectionsPerAddressMax = 16;
constexpr std::size_t kHeadBytesMax = 72 * 1024;  // A ticket with a large PAC, in base64.
constexpr std::chrono::milliseconds kDrain{2000};

// Without TLS there is nothing to be bound to.
kerberos::Bindings BindingsOf(const http::Connection& connection) {
  if (!connection.own_certificate) return {};
  return pki::ServerEndPointBindings(*connection.own_certificate);
}

http::Response Unauthorized(std::string text) {
  http::Response response = http::Text(401, std::move(text));
  response.fields.Set("WWW-Authenticate", std::string(kNegotiate));
  return response;
}

std::string RemedyOf(const absl::Status& status) {
  const auto detail = rpc::DetailOf(status);
  return detail && !detail->remedy().empty() ? Printable(detail->remedy()) + "\n" : std::string();
}

http::Response RefusedTicket(const absl::Status& refusal) {
  return Unauthorized(fmt::format("401: your ticket was refused ({}): {}\n{}",
                                  rpc::ReasonName(refusal),
                                  Printable(std::string(refusal.message())), RemedyOf(refusal)));
}

std::string PageOf(const TicketReport& report) {
  std::string text =
      fmt::format("You are     {}, a {}\nSID         {}\nTicket      of {}\n",
                  Printable(report.principal), report.identity.is_computer ? "computer" : "user",
                  report.identity.account_sid, Printable(report.identity.service_realm));
  if (report.may_enroll.ok()) return text + "Enrollment  possible through this IWA\n";
  text += fmt::format("Enrollment  not possible ({}): {}\n", rpc::ReasonName(report.may_enroll),
                      Printable(std::string(report.may_enroll.message())));
  if (const std::string remedy = RemedyOf(report.may_enroll); !remedy.empty()) {
    text += "Remedy      " + remedy;
  }
  return text;
}

}  // namespace

struct WebFace::State {
  State(TicketAcceptor& acceptor, TokenIssuer& token_issuer)
      : tickets(acceptor), issuer(token_issuer) {}

  Task<http::Response> Answer(const http::Request& request);
  http::Response Examine(const std::string& token, const http::Connection& connection);

  TicketAcceptor& tickets;
  TokenIssuer& issuer;
  boost::asio::thread_pool workers{1};
  std::unique_ptr<http::Server> server;
};

Task<http::Response> WebFace::State::Answer(const http::Request& request) {
  if (request.path != kPath) co_return http::Text(404, "404: only /iwa/whoami is here\n");
  if (request.method == "POST") {
    http::Response refused = http::Text(405, "405: only GET is served here\n");
    refused.fields.Set("Allow", "GET, HEAD");
    co_return refused;
  }
  const std::optional<std::string_view> value = request.fields.Find("authorization");
  if (!value || request.fields.Count("authorization") != 1) {
    co_return Unauthorized(
        "401: this page wants your Kerberos ticket, and nobody gets in without a name.\n"
        "Log on to the domain and try again: curl --negotiate -u : URL, or a browser that may "
        "show\n"
        "tickets to this host.\n");
  }
  const std::string_view scheme = value->substr(0, value->find(' '));
  std::string_view token = value->substr(std::min(scheme.size() + 1, value->size()));
  if (EqualIgnoringCase(scheme, "NTLM") || token.starts_with(kNtlm)) {
    co_return Unauthorized(
        "401: NTLM is not accepted: it proves too little.\n"
        "Use this host's own name, so that the computer asks for a Kerberos ticket; it must reach "
        "a\n"
        "domain controller.\n");
  }
  if (!EqualIgnoringCase(scheme, kNegotiate) || token.empty()) {
    co_return Unauthorized("401: only Negotiate is accepted, with a Kerberos ticket.\n");
  }
  // Apart from the coroutine's frame, which is another thread's.
  const auto shown =
      std::make_shared<const std::pair<std::string, http::Connection>>(token, request.connection);
  const auto start = [this, shown](std::function<void(http::Response)> done) {
    boost::asio::post(workers, [this, shown, done = std::move(done)] {
      done(Examine(shown->first, shown->second));
    });
  };
  http::Response response = co_await AwaitCallback<http::Response>(start);
  co_return response;
}

http::Response WebFace::State::Examine(const std::string& token,
                                       const http::Connection& connection) {
  const absl::StatusOr<Bytes> spnego = Base64Decode(token);
  if (!spnego.ok() || spnego->empty() || spnego->size() > kerberos::kSpnegoBytesMax) {
    return Unauthorized("401: what came as a ticket is none.\n");
  }
  absl::StatusOr<kerberos::Accepted> accepted = tickets.Accept(*spnego, BindingsOf(connection));
  if (!accepted.ok()) {
    const absl::Status refusal = TicketRefusal(accepted.status());
    kWhoamis.With({rpc::ResultLabel(refusal)}).Add();
    LogSparsely(LogLevel::kWarning, "iwa.whoami.refused",
                ClientNetwork(connection.peer_address.to_string()),
                {{"error", std::string(refusal.message())}});
    return RefusedTicket(refusal);
  }
  const TicketReport report = issuer.Examine(accepted->identity);
  kWhoamis.With({rpc::ResultLabel(report.may_enroll)}).Add();
  http::Response response = http::Text(200, PageOf(report));
  response.fields.Set("WWW-Authenticate",
                      fmt::format("{} {}", kNegotiate, Base64Encode(accepted->reply)));
  return response;
}

WebFace::WebFace(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebFace::~WebFace() { Stop(); }

absl::StatusOr<std::unique_ptr<WebFace>> WebFace::Start(const Config& config,
                                                        TicketAcceptor& tickets,
                                                        TokenIssuer& issuer, const Clock& clock) {
  auto state = std::make_unique<State>(tickets, issuer);
  http::ListenerConfig listener;
  listener.address = config.web_listen;
  listener.flag = "--web-listen";
  listener.handler = [&face = *state](const http::Request& request) {
    return face.Answer(request);
  };
  listener.limits.connections_max = kConnectionsMax;
  listener.limits.connections_per_address_max = kConnectionsPerAddressMax;
  listener.limits.parser.head_bytes_max = kHeadBytesMax;
  if (config.web_binding == "https") {
    DT_ASSIGN_OR_RETURN(const rpc::Identity files,
                        rpc::LoadIdentity(config.edge_cert, config.edge_key));
    DT_ASSIGN_OR_RETURN(pki::Identity identity,
                        pki::IdentityFromPem(files.certificate_pem, files.key_pem));
    DT_ASSIGN_OR_RETURN(pki::TlsContext context,
                        pki::TlsContext::ForServer({.identity = std::move(identity)}));
    listener.tls = std::make_shared<const pki::TlsContext>(std::move(context));
  }
  http::ServerConfig server;
  server.clock = &clock;
  server.listeners.push_back(std::move(listener));
  DT_ASSIGN_OR_RETURN(state->server, http::Server::Start(std::move(server)));
  return std::unique_ptr<WebFace>(new WebFace(std::move(state)));
}

const http::Server& WebFace::server() const { return *state_->server; }

void WebFace::Stop() {
  if (state_->server) state_->server->Stop(kDrain);
  state_->workers.join();
}

}  // namespace devicetrust::iwa
