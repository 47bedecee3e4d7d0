import Kernel
import Testing

@testable import Objects

@Suite("The URL of a bucket") struct S3URLTests {
    @Test func awsIsNamedByTheRegionAlone() throws {
        let location = try S3URL("s3://my-shop?region=eu-west-1")
        #expect(location.scheme == "https")
        #expect(location.host == "my-shop.s3.eu-west-1.amazonaws.com")
        #expect(location.path(of: "a/b.svg") == "/a/b.svg")
        #expect(try S3URL("s3://my-shop", environment: ["AWS_REGION": "us-east-2"]).region == "us-east-2")
        #expect(try S3URL("s3://my-shop?region=cn-north-1").host == "my-shop.s3.cn-north-1.amazonaws.com.cn")
        // No certificate covers a name with dots.
        #expect(try S3URL("s3://my.shop?region=eu-west-1").host == "s3.eu-west-1.amazonaws.com")
    }

    @Test func anotherPeerIsNamedByItsEndpoint() throws {
        let location = try S3URL("s3://shop?endpoint=http://127.0.0.1:9000/&prefix=souk")
        #expect(location.host == "127.0.0.1:9000")
        #expect(location.path(of: location.prefix + "a") == "/shop/souk/a")
        let virtual = try S3URL("s3://shop/?endpoint=https%3A%2F%2Fs3.example&style=virtual&region=x&prefix=a/b/")
        #expect(virtual.host == "shop.s3.example")
        #expect(virtual.path(of: virtual.prefix + "a") == "/a/b/a")
    }

    @Test(arguments: [
        ("http://bucket", "s3://"), ("s3://", "bucket is"), ("s3://Shop?region=r", "bucket is"),
        ("s3://a..b?region=r", "bucket is"), ("s3://shop", "region"), ("s3://shop?region=", "region"),
        ("s3://shop?region=EU WEST", "region"), ("s3://shop?region=r&regoin=r", "'regoin'"),
        ("s3://shop?region=r&region=s", "twice"), ("s3://shop?region=r&style=host", "'host'"),
        ("s3://shop?region=r&endpoint=ftp://h", "endpoint"), ("s3://shop?region=r&endpoint=http://h/path", "endpoint"),
        ("s3://shop?region=r&endpoint=http://user:secret@h", "endpoint"), ("s3://shop?region=r&prefix=/a", "prefix"),
        ("s3://shop?region=r&prefix=a/../b", "prefix"), ("s3://shop?region=r&endpoint=%zz", "endpoint"),
    ])
    func aWrongOneSaysWhatIsWrong(url: String, word: String) {
        let error = #expect(throws: S3URL.Invalid.self) { try S3URL(url) }
        #expect(error.map { "\($0)".contains(word) && !"\($0)".contains("secret") } == true, "\(error as Any)")
    }
}

@Suite("XML answers") struct XMLTreeTests {
    private func parsed(_ text: String) throws -> XMLTree { try XMLTree(Array(text.utf8)) }

    @Test func elementsTextAndEntitiesAreRead() throws {
        let tree = try parsed(
            """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- a > b -->
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/" note='>'>
              <Name>b</Name><Empty/><Contents><Key>a&amp;b &lt;&#x1F600;&#65;&gt;</Key></Contents>
              <Contents><Key><![CDATA[c<d&amp;]]></Key></Contents>
            </ListBucketResult >
            """)
        #expect(tree.name == "ListBucketResult")
        #expect(tree.children.map(\.name) == ["Name", "Empty", "Contents", "Contents"])
        #expect(tree.children.compactMap { $0.first("Key")?.text } == ["a&b <\u{1F600}A>", "c<d&amp;"])
        #expect(tree.first("None") == nil)
    }

    @Test(arguments: [
        "", " ", "text", "<a>", "<a></b>", "<a", "<a><b></a></b>", "</a>", "x<a/>", "<a>&unknown;</a>",
        "<a>&#xD800;</a>", "<a>&#;</a>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a><!-- </a>", "< a/>",
        "<a b=\"></a>", "<a><![CDATA[</a>", "<<a/>",
    ])
    func whatIsNotWellFormedIsRefused(text: String) {
        #expect(throws: XMLTree.Malformed.self) { try parsed(text) }
    }

    @Test func depthAndNumberAreBounded() throws {
        let deep = XMLTree.depthLimit
        let nest = { (depth: Int) in
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        _ = try parsed(nest(deep))
        #expect(throws: XMLTree.Malformed.self) { try parsed(nest(deep + 1)) }
        let wide = "<r>" + String(repeating: "<a/>", count: XMLTree.elementLimit) + "</r>"
        #expect(throws: XMLTree.Malformed.self) { try parsed(wide) }
    }

    @Test func anyPrefixOfAnAnswerIsRefused() throws {
        let whole = Array("<Error><Code>SlowDown</Code><Message>a&amp;b</Message></Error>".utf8)
        _ = try XMLTree(whole)
        for count in whole.indices {
            #expect(throws: XMLTree.Malformed.self) { try XMLTree(Array(whole[..<count])) }
        }
    }
}

@Suite("Dates of HTTP") struct HTTPDateTests {
    @Test func theFormOfTodayIsRead() {
        #expect(
            Timestamp(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT")
                == Timestamp(year: 1994, month: 11, day: 6, hour: 8, minute: 49, second: 37))
        for text in ["", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 36 Nov 1994 08:49:37 GMT", "Sun, 06 Brumaire 2 1 GMT"] {
            #expect(Timestamp(httpDate: text) == nil)
        }
    }
}
