#include "libs/http/message.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/ascii.h"
#include "libs/net/endpoint.h"

namespace devicetrust::http {
namespace {

bool SameName(std::string_view lower, std::string_view name) {
  return std::equal(lower.begin(), lower.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == ToLower(b); });
}

}  // namespace

void Fields::Add(std::string_view name, std::string_view value) {
  fields_.push_back({LowerCase(name), std::string(value)});
}

void Fields::Set(std::string_view name, std::string_view value) {
  Remove(name);
  Add(name, value);
}

void Fields::Remove(std::string_view name) {
  std::erase_if(fields_, [name](const Field& field) { return SameName(field.name, name); });
}

std::optional<std::string_view> Fields::Find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (SameName(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t Fields::Count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [name](const Field& field) { return SameName(field.name, name); }));
}

absl::StatusOr<Parameters> Request::QueryParameters() const { return ParseParameters(query); }

absl::StatusOr<Parameters> Request::FormParameters() const {
  const std::string type = LowerCase(fields.Find("content-type").value_or(""));
  const std::string_view media = std::string_view(type).substr(0, type.find(';'));
  if (media != "application/x-www-form-urlencoded") {
    return absl::InvalidArgumentError("the body must be application/x-www-form-urlencoded");
  }
  return ParseParameters(body);
}

std::optional<std::string> Request::Cookie(std::string_view name) const {
  std::optional<std::string> found;
  const std::optional<std::string_view> field = fields.Find("cookie");
  if (!field) return std::nullopt;
  for (auto& [each, value] : ParseCookies(*field)) {
    if (each != name) continue;
    if (found) return std::nullopt;
    found = std::move(value);
  }
  return found;
}

bool Request::Has(std::string_view etag) const {
  for (const Field& field : fields.all()) {
    if (field.name != "if-none-match") continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      std::string_view tag = rest.substr(0, end);
      while (tag.starts_with(' ') || tag.starts_with('\t')) tag.remove_prefix(1);
      while (tag.ends_with(' ') || tag.ends_with('\t')) tag.remove_suffix(1);
      if (tag.starts_with("W/")) tag.remove_prefix(2);  // Weak comparison: section 13.1.2.
      if (tag == "*" || tag == etag) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return false;
}

namespace {
Response Typed(int status, std::string_view type, std::string body) {
  Response response;
  response.status = status;
  response.fields.Set("content-type", type);
  response.body = std::move(body);
  return response;
}
}  // namespace

Response Html(int status, std::string body) {
  return Typed(status, "text/html; charset=utf-8", std::move(body));
}

Response Json(int status, std::string body) {
  return Typed(status, "application/json", std::move(body));
}

Response Text(int status, std::string body) {
  return Typed(status, "text/plain; charset=utf-8", std::move(body));
}

Response SeeOther(std::string_view location) {
  Response response;
  response.status = 303;
  response.fields.Set("location", location);
  return response;
}

std::string HttpDate(WallTime time) {
  constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

std::optional<boost::asio::ip::address> LastAddress(std::string_view list) {
  list.remove_prefix(std::min(list.size(), list.rfind(',') + 1));
  constexpr std::string_view kBlanks = " \t";
  list.remove_prefix(std::min(list.size(), list.find_first_not_of(kBlanks)));
  if (list.find('\0') != std::string_view::npos) return std::nullopt;  // It would be cut there.
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(list), error);
  if (error || (address.is_v6() && address.to_v6().scope_id() != 0)) return std::nullopt;
  return net::Unmapped(address);
}

}  // namespace devicetrust::http
