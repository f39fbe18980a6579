#include "libs/saml/xml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust::saml {
namespace {

TEST(XmlTest, ReadsElementsAttributesAndText) {
  const XmlDocument document =
      XmlDocument::Parse(
          "<?xml version=\"1.0\"?><a xmlns=\"urn:x\" n=\"1 &amp; 2\" xmlns:y=\"urn:y\" y:n=\"3\">"
          "<b> t&lt;1&#x41;<![CDATA[<2]]> </b><y:b/></a>")
          .value();
  const XmlElement root = document.root();
  EXPECT_TRUE(root.Is("urn:x", "a"));
  EXPECT_FALSE(root.Is("urn:y", "a"));
  EXPECT_EQ(root.Attribute("n"), "1 & 2");
  EXPECT_EQ(root.Attribute("m"), std::nullopt);
  EXPECT_EQ(root.Child("urn:x", "b")->value().Text(), "t<1A<2");
  EXPECT_EQ(root.Children("urn:y", "b").size(), 1U);
  EXPECT_FALSE(root.Child("urn:y", "c")->has_value());
}

TEST(XmlTest, RefusesWhatHasBeenAnAttack) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "<a>";
  std::string wide_attribute = "<a x=\"" + std::string(70'000, 'y') + "\"/>";
  const std::pair<const char*, std::string> table[] = {
      {"empty", ""},
      {"not XML", "hello"},
      {"unclosed", "<a>"},
      {"two roots", "<a/><b/>"},
      {"trailing text", "<a/>x"},
      {"doctype", "<!DOCTYPE a><a/>"},
      {"external entity", "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>"},
      {"billion laughs", "<!DOCTYPE a [<!ENTITY b \"xx\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>"},
      {"parameter entity", "<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://x/\">%p;]><a/>"},
      {"unknown entity", "<a>&nbsp;</a>"},
      {"comment in a name", "<a>admin@x<!---->.evil</a>"},
      {"processing instruction", "<a><?x y?></a>"},
      {"nul", std::string("<a>\0</a>", 8)},
      {"half of a utf-16 character", std::string("\xff\xfe<\0a\0/\0>", 9)},
      {"half of a utf-16 pair", std::string("\xff\xfe<\0a\0>\0\0\xd8<\0/\0a\0>\0", 18)},
      {"utf-16 that says to be utf-8", std::string("\xff\xfe\xfe\xff", 4)},
      {"latin 1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>"},
      {"utf-7", "<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADwAIQ-DOCTYPE"},
      {"overlong utf-8", "<a>\xc0\xbc</a>"},
      {"surrogate", "<a>\xed\xa0\x80</a>"},
      {"noncharacter", "<a>\xef\xbf\xbf</a>"},
      {"control", "<a>\x01</a>"},
      {"control by reference", "<a>&#1;</a>"},
      {"two IDs", "<a ID=\"x\"><b ID=\"x\"/></a>"},
      {"attribute twice", "<a b=\"1\" b=\"2\"/>"},
      {"undeclared prefix used twice", "<a x:b=\"1\" x:b=\"2\"/>"},
      {"too deep", deep},
      {"too long", wide_attribute},
  };
  for (const auto& [name, text] : table) {
    EXPECT_EQ(XmlDocument::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(XmlTest, MetadataMayHaveComments) {
  const XmlLimits limits{.comments_allowed = true};
  const XmlDocument document = XmlDocument::Parse("<!-- c --><a>x<!-- y -->z</a>", limits).value();
  EXPECT_EQ(document.root().Text(), "xz");
  EXPECT_FALSE(XmlDocument::Parse("<!DOCTYPE a><a/>", limits).ok());
}

TEST(XmlTest, ReadsUtf16) {
  const std::string little("<\0a\0>\0\xeb\0<\0/\0a\0>\0", 16);
  for (const std::string& text : {little, "\xff\xfe" + little}) {
    EXPECT_EQ(XmlDocument::Parse(text)->root().Text(), "\xc3\xab");
  }
}

TEST(XmlTest, KnowsADocumentTypeFromItsText) {
  EXPECT_EQ(XmlDocument::Parse("<a><![CDATA[<!DOCTYPE a><!ENTITY e 'x'>]]></a>")->root().Text(),
            "<!DOCTYPE a><!ENTITY e 'x'>");
  DT_EXPECT_OK(XmlDocument::Parse("<!-- <!DOCTYPE a> --><a/><!-- <!DOCTYPE a> -->"));
  EXPECT_EQ(XmlDocument::Parse("<!DOCTYPE a><a/>").status().message(),
            "the XML has a document type declaration");
}

std::string Repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

std::string Numbered(std::string_view format, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += fmt::format(fmt::runtime(format), i);
  return all;
}

// The last that is taken, and one more.
TEST(XmlTest, BoundsWhatWorkGrowsWith) {
  const XmlLimits limits;
  struct Row {
    std::string (*make)(std::size_t);
    std::size_t most;
    const char* refusal;
  };
  const Row table[] = {
      {[](std::size_t n) { return "<a>" + Repeated("<b/>", n - 1) + "</a>"; }, limits.elements_max,
       "the XML has more than 100 elements"},
      {[](std::size_t n) { return Repeated("<a>", n) + Repeated("</a>", n); }, limits.depth_max,
       "the XML has more than 20 elements in one another"},
      {[](std::size_t n) { return "<a " + Numbered("b{}='' ", n) + "/>"; }, limits.attributes_max,
       "the XML has more than 200 attributes"},
      {[](std::size_t n) { return "<a " + Numbered("xmlns:b{}='u' ", n) + "/>"; },
       limits.namespaces_max, "the XML has more than 20 declarations of namespaces"},
      {[](std::size_t n) { return "<" + std::string(n, 'a') + "/>"; }, limits.name_bytes_max,
       "the XML has a name of more than 128 bytes"},
      {[](std::size_t n) { return "<a " + std::string(n, 'b') + "=''/>"; }, limits.name_bytes_max,
       "the XML has a name of more than 128 bytes"},
      {[](std::size_t n) { return "<a xmlns:" + std::string(n, 'b') + "='u'/>"; },
       limits.name_bytes_max, "the XML has a name of more than 128 bytes"},
      {[](std::size_t n) { return "<a xmlns='" + std::string(n, 'u') + "'/>"; },
       limits.namespace_bytes_max, "the XML has a namespace of more than 256 bytes"},
      {[](std::size_t n) { return "<a><b xmlns:b='" + std::string(n, 'u') + "'/></a>"; },
       limits.namespace_bytes_max, "the XML has a namespace of more than 256 bytes"},
  };
  for (const Row& row : table) {
    DT_EXPECT_OK(XmlDocument::Parse(row.make(row.most))) << row.refusal;
    EXPECT_EQ(XmlDocument::Parse(row.make(row.most + 1)).status().message(), row.refusal);
    EXPECT_EQ(XmlDocument::Parse(row.make(4 * row.most + 4)).status().message(), row.refusal);
  }
  // Also of what is not well-formed, where the parser would go on to the end.
  EXPECT_EQ(XmlDocument::Parse("<a><&>" + Repeated("<b>", 600)).status().message(),
            "the XML has more than 100 elements");
}

TEST(XmlTest, CanonicalFormsDifferInTheirNamespaces) {
  const XmlDocument document =
      XmlDocument::Parse("<a xmlns=\"urn:a\" xmlns:u=\"urn:u\" xmlns:v=\"urn:v\"><b/></a>").value();
  const XmlElement b = document.root().Children().front();
  const auto form = [&](CanonicalForm::Kind kind, std::vector<std::string> prefixes = {}) {
    return Canonicalize(document, b, std::nullopt, {kind, std::move(prefixes)}).value();
  };
  EXPECT_EQ(form(CanonicalForm::Kind::kExclusive), "<b xmlns=\"urn:a\"></b>");
  EXPECT_EQ(form(CanonicalForm::Kind::kExclusive, {"v", "w"}),
            "<b xmlns=\"urn:a\" xmlns:v=\"urn:v\"></b>");
  EXPECT_EQ(form(CanonicalForm::Kind::kInclusive),
            "<b xmlns=\"urn:a\" xmlns:u=\"urn:u\" xmlns:v=\"urn:v\"></b>");
  const std::vector<std::string> many(kPrefixesMax + 1, "v");
  DT_EXPECT_CODE(Canonicalize(document, b, std::nullopt, {.prefixes = many}), kInvalidArgument);
}

TEST(XmlTest, CanonicalFormLeavesTheSignatureOut) {
  const XmlDocument document =
      XmlDocument::Parse("<a xmlns:u=\"urn:unused\" c=\"2\" b='1'><s xmlns=\"urn:s\"><t/></s>x</a>")
          .value();
  const XmlElement signature = document.root().Children().front();
  EXPECT_EQ(Canonicalize(document, document.root(), signature).value(), "<a b=\"1\" c=\"2\">x</a>");
  EXPECT_EQ(Canonicalize(document, signature, std::nullopt).value(),
            "<s xmlns=\"urn:s\"><t></t></s>");
}

// A stranger's request must not write into our log: Canonical XML, section 1.3, has no form for a
// relative namespace.
TEST(XmlTest, WhatHasNoCanonicalFormIsRefusedInSilence) {
  ::testing::internal::CaptureStderr();
  const XmlDocument document = XmlDocument::Parse("<a xmlns:b=\"relative\"><b:c/></a>").value();
  DT_EXPECT_CODE(Canonicalize(document, document.root(), std::nullopt), kInvalidArgument);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(XmlTest, EscapesAsCanonicalXmlDoes) {
  const std::string nasty = "a&b<c>d\"e'f]]>\r\n\tg\x01\xff\xc3\xa9";
  EXPECT_EQ(EscapeXmlText(nasty),
            "a&amp;b&lt;c&gt;d\"e'f]]&gt;&#xD;\n\tg\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
  EXPECT_EQ(EscapeXmlAttribute(nasty),
            "a&amp;b&lt;c>d&quot;e'f]]>&#xD;&#xA;&#x9;g\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
  const std::string text =
      "<a b=\"" + EscapeXmlAttribute(nasty) + "\">" + EscapeXmlText(nasty) + "</a>";
  const XmlDocument document = XmlDocument::Parse(text).value();
  EXPECT_EQ(Canonicalize(document, document.root(), std::nullopt).value(), text);
}

}  // namespace
}  // namespace devicetrust::saml
