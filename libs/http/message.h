// HTTP/1.1 messages as plain values: what a handler gets and what it returns.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/http/form.h"
#include "libs/pki/certificate.h"
#include "libs/pki/certificate_validator.h"

namespace devicetrust::http {

struct Field {
  std::string name;   // Lower case.
  std::string value;  // Without surrounding blanks; bytes as sent.
};

// Header fields in the order they came. Names compare without regard to case.
class Fields {
 public:
  void Add(std::string_view name, std::string_view value);
  // Replaces all fields of that name.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  // The first one of that name; nothing when absent.
  std::optional<std::string_view> Find(std::string_view name) const;
  std::size_t Count(std::string_view name) const;
  const std::vector<Field>& all() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

// What is known of the connection that brought a request. Nothing here comes from a header but,
// of a proxy that the operator named, the address.
struct Connection {
  boost::asio::ip::address peer_address;  // Of the socket, or of the proxy's client.
  bool tls = false;
  std::string server_name;                          // SNI, lower case; empty without.
  std::optional<pki::Certificate> own_certificate;  // What this server has shown.
  // The client certificate of the handshake. The client has proven that it holds the key;
  // `peer_verdict` says what to think of the certificate, kNone when there is none.
  std::optional<pki::Certificate> peer_certificate;
  pki::CertificateVerdict peer_verdict = pki::CertificateVerdict::kNone;
};

// The last address of a list as proxies append to; nothing when it ends with none, or with one that
// has a scope, which is an interface of the proxy's own.
std::optional<boost::asio::ip::address> LastAddress(std::string_view list);

// One request that met every syntax rule of parser.h.
struct Request {
  std::string method;  // GET, HEAD or POST.
  std::string target;  // As sent: origin-form; its query may hold what `query` may.
  std::string path;    // Decoded, starts with '/', has no "." or ".." segment, no NUL, no '\'.
                       // A '/' in it stood there as one, but see ParserLimits::escaped_slash.
  // Raw octets after the first '?', not decoded, since SAML signs them: those of RFC 3986, and
  // [ ] { } | ^ \ ` unescaped as browsers send them.
  std::string query;
  std::string host;  // From the Host field, lower case, without port and without a dot behind it.
  std::uint16_t port = 0;  // From the Host field; 0 when it names none.
  Fields fields;
  std::string body;
  bool keep_alive = true;  // The client's wish.
  Connection connection;

  // Parameters of the query, or of a body of type application/x-www-form-urlencoded.
  // kInvalidArgument: bad percent escape, too many, not a form.
  absl::StatusOr<Parameters> QueryParameters() const;
  absl::StatusOr<Parameters> FormParameters() const;

  // The cookie of that name. Nothing when there is none, and when there is more than
  // one: which of them is ours can't be told (a sibling host may plant a double).
  std::optional<std::string> Cookie(std::string_view name) const;

  // True when If-None-Match says that the client has what `etag`, with its quotes, stands for:
  // then 304 is the answer (RFC 9110, section 13.1.2).
  bool Has(std::string_view etag) const;
};

// The answer of a handler. Content-Length, Connection and the hygiene fields (see
// server.h) are added on the way out; a hygiene field set here is kept.
// Octets that many answers have in common: no connection holds a copy of its own.
struct SharedBody {
  std::shared_ptr<const void> owner;  // Of `octets`; null: there is none.
  std::string_view octets;
};

struct Response {
  int status = 200;
  Fields fields;
  std::string body;
  SharedBody shared_body = {};  // Instead of `body`.
  bool close = false;           // Ends the connection after this answer.
};

Response Html(int status, std::string body);
Response Json(int status, std::string body);
Response Text(int status, std::string body);
// 303: the browser goes on with GET. `location` must be a URL that we made.
Response SeeOther(std::string_view location);

// IMF-fixdate (RFC 9110, section 5.6.7): of Date, Expires, Last-Modified.
std::string HttpDate(WallTime time);

// The standard reason phrase of a status that this library or the gateway sends.
std::string_view ReasonPhrase(int status);

}  // namespace devicetrust::http
