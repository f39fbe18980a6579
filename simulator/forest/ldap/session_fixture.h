// One client's conversation with the fake directory, for the tests of this folder.
#pragma once

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "simulator/forest/ldap/forest_fixture.h"
#include "simulator/forest/ldap/session.h"

namespace devicetrust::simulator {

using Put = std::function<void(BerWriter&)>;

inline Put Equal(std::string attribute, std::string value, BerTag op = 0xa3) {
  return [=](BerWriter& w) { w.Begin(op).Text(attribute).Text(value).End(); };
}
inline Put Present(std::string attribute) {
  return [=](BerWriter& w) { w.Text(attribute, 0x87); };
}
inline Put List(BerTag op, std::vector<Put> children) {
  return [=](BerWriter& w) {
    w.Begin(op);
    for (const Put& child : children) child(w);
    w.End();
  };
}
inline Put And(std::vector<Put> children) { return List(0xa0, std::move(children)); }
inline Put Or(std::vector<Put> children) { return List(0xa1, std::move(children)); }
inline Put Not(Put child) { return List(0xa2, {std::move(child)}); }
inline Put Rule(std::string rule, std::string attribute, std::string value) {
  return [=](BerWriter& w) {
    w.Begin(0xa9).Text(rule, 0x81).Text(attribute, 0x82).Text(value, 0x83).End();
  };
}
inline Put Substring(std::string attribute, std::vector<std::pair<BerTag, std::string>> parts) {
  return [=](BerWriter& w) {
    w.Begin(0xa4).Text(attribute).Begin();
    for (const auto& [tag, text] : parts) w.Text(text, tag);
    w.End().End();
  };
}

struct Found {
  int code = -1;
  std::string message;
  std::vector<std::string> names;  // sAMAccountName, or DN for entries without one.
  std::map<std::string, std::vector<std::string>> attributes;  // Of the last entry.
  std::vector<std::string> referrals;
  std::string cookie;  // Of a search with pages.
};

class SessionTest : public ::testing::Test {
 protected:
  // The contents of the LDAPMessage that `put` fills behind the message id.
  static std::string Message(const Put& put) {
    BerWriter writer;
    writer.Begin().Integer(7);
    put(writer);
    std::string out;
    writer.End().AppendTo(out);
    return out.substr(ReadBerFrame(out, 1 << 20).value().header_bytes);
  }

  // Result code and message of a response that is one LDAPResult.
  std::pair<int, std::string> Ask(const Put& put) {
    std::string out;
    open_ = session_.Handle(Message(put), out);
    const auto answers = Split(out);
    EXPECT_EQ(answers.size(), 1U);
    return ResultOf(answers.at(0));
  }

  std::pair<int, std::string> Bind(const std::string& name, const std::string& password) {
    return Ask(
        [&](BerWriter& w) { w.Begin(0x60).Integer(3).Text(name).Text(password, 0x80).End(); });
  }

  // A control with a value.
  static Put Control(std::string oid, std::string value = {}) {
    return [=](BerWriter& w) {
      w.Begin().Text(oid).Text(std::string_view("\xff", 1), kBerBoolean).Text(value).End();
    };
  }
  static Put Paged(int size, std::string_view cookie) {
    std::string value;
    BerWriter().Begin().Integer(size).Text(cookie).End().AppendTo(value);
    return Control("1.2.840.113556.1.4.319", value);
  }

  Found Search(const std::string& base, int scope, const Put& filter,
               const std::vector<std::string>& attributes = {}, int limit = 0,
               const std::vector<Put>& controls = {}) {
    std::string out;
    open_ = session_.Handle(Message([&](BerWriter& w) {
                              w.Begin(0x63).Text(base).Integer(scope, kBerEnumerated);
                              w.Integer(0, kBerEnumerated).Integer(limit).Integer(0);
                              w.Text(std::string_view("\0", 1), kBerBoolean);
                              filter(w);
                              w.Begin();
                              for (const auto& name : attributes) w.Text(name);
                              w.End().End();
                              if (controls.empty()) return;
                              w.Begin(0xa0);
                              for (const Put& control : controls) control(w);
                              w.End();
                            }),
                            out);
    Found found;
    for (const std::string& answer : Split(out)) {
      BerReader reader(answer);
      EXPECT_EQ(reader.NextInteger().value(), 7);
      const BerItem op = reader.Next().value();
      if (op.tag != 0x64) {
        std::tie(found.code, found.message) = ResultOf(answer);
        found.referrals = ReferralsOf(op.content);
        if (!reader.AtEnd()) found.cookie = CookieIn(reader.Next(0xa0).value());
        continue;
      }
      ReadEntry(op.content, found);
    }
    return found;
  }
  std::vector<std::string> NamesBelow(const Put& filter) {
    return Search("dc=corp,dc=test", 2, filter, {"sAMAccountName"}).names;
  }

  static void ReadEntry(std::string_view content, Found& found) {
    BerReader entry(content);
    std::string name(entry.Next(kBerOctetString).value());
    found.attributes.clear();
    BerReader list(entry.Next(kBerSequence).value());
    while (!list.AtEnd()) {
      BerReader attribute(list.Next(kBerSequence).value());
      auto& values = found.attributes[std::string(attribute.Next(kBerOctetString).value())];
      BerReader set(attribute.Next(kBerSet).value());
      while (!set.AtEnd()) values.emplace_back(set.Next(kBerOctetString).value());
    }
    if (found.attributes.contains("sAMAccountName")) name = found.attributes["sAMAccountName"][0];
    found.names.push_back(std::move(name));
  }

  static std::vector<std::string> Split(std::string_view out) {
    std::vector<std::string> answers;
    while (!out.empty()) {
      const BerFrame frame = ReadBerFrame(out, 1 << 24).value();
      answers.emplace_back(out.substr(frame.header_bytes, frame.content_bytes));
      out.remove_prefix(frame.header_bytes + frame.content_bytes);
    }
    return answers;
  }
  static std::pair<int, std::string> ResultOf(const std::string& answer) {
    BerReader reader(answer);
    (void)reader.NextInteger();
    BerReader result(reader.Next().value().content);
    const int code = result.NextInteger(kBerEnumerated).value();
    (void)result.Next();
    return {code, std::string(result.Next(kBerOctetString).value())};
  }

  static std::string CookieIn(std::string_view controls) {
    BerReader list(controls);
    BerReader control(list.Next(kBerSequence).value());
    (void)control.Next();
    BerReader value(control.Next(kBerOctetString).value());
    BerReader paging(value.Next(kBerSequence).value());
    (void)paging.NextInteger();
    return std::string(paging.Next(kBerOctetString).value());
  }

  static std::vector<std::string> ReferralsOf(std::string_view result) {
    BerReader fields(result);
    for (int i = 0; i < 3; ++i) (void)fields.Next();
    std::vector<std::string> urls;
    if (fields.AtEnd()) return urls;
    BerReader list(fields.Next(0xa3).value());
    while (!list.AtEnd()) urls.emplace_back(list.Next(kBerOctetString).value());
    return urls;
  }

  TestForest forest_;
  LdapEntries entries_{forest_.table->view(), {}, forest_.clock};
  LdapSession session_{entries_, forest_.clock, {}};
  bool open_ = true;
};

}  // namespace devicetrust::simulator
