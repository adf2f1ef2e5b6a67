using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Quire.AspNetCore.Tests.Endpoint;

/// <summary>The page of holders: what it shows, in which form, and to whom.</summary>
public sealed partial class HoldersEndpointTests
{
    private const string Nasty = "<script>alert('&')</script>\"";

    [Fact]
    public async Task The_JSON_names_the_line_that_holds_a_page_and_its_figures_add_up()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "shown" });
        Page untracked = allocator.Allocate(order: 1);
        await using Served served = await Served.StartAsync();
        using (Holders.Track())
        {
            Page[] kept = [allocator.Allocate(), allocator.Allocate(), allocator.Allocate()];
            using JsonDocument report = JsonDocument.Parse(await served.GetAsync("/debug/holders?format=json"));
            Assert.True(report.RootElement.GetProperty("tracking").GetBoolean());
            JsonElement shown = report.RootElement.GetProperty("allocators").EnumerateArray().Single(static one => one.GetProperty("name").GetString() == "shown");
            Assert.Equal(5L * Page.FrameSize, shown.GetProperty("in_use_bytes").GetInt64());
            Assert.Equal(1, shown.GetProperty("untracked_references").GetInt64());
            Assert.Equal(1, shown.GetProperty("untracked_pages").GetInt32());
            JsonElement row = Assert.Single(shown.GetProperty("holders").EnumerateArray());
            Assert.StartsWith("HoldersEndpointTests.cs:", row.GetProperty("site").GetString(), StringComparison.Ordinal);
            Assert.Equal(nameof(The_JSON_names_the_line_that_holds_a_page_and_its_figures_add_up), row.GetProperty("member").GetString());
            Assert.Equal("Page", row.GetProperty("kind").GetString());
            Assert.Equal(3, row.GetProperty("references").GetInt64());
            Assert.Equal(3L * Page.FrameSize, row.GetProperty("pinned_bytes").GetInt64());
            Assert.Equal(shown.GetProperty("references").GetInt64(), shown.GetProperty("untracked_references").GetInt64() + row.GetProperty("references").GetInt64());
            Array.ForEach(kept, static page => page.Put());
        }

        untracked.Put();
    }

    [Fact]
    public async Task Kestrels_own_blocks_are_on_the_page()
    {
        await using Served served = await Served.StartAsync();
        using IDisposable tracking = Holders.Track();

        // A request that is not whole yet has its buffer.
        using TcpClient half = new();
        await half.ConnectAsync(IPAddress.Loopback, served.Client.BaseAddress!.Port);
        await half.GetStream().WriteAsync("GET / HTTP/1.1\r\nX-Half: "u8.ToArray());
        string text;
        DateTime until = DateTime.UtcNow.AddSeconds(60);
        do
        {
            text = await served.GetAsync("/debug/holders?format=text");
        }
        while (!text.Contains("DoReceive", StringComparison.Ordinal) && DateTime.UtcNow < until);

        Assert.Matches("allocator 'kestrel': [0-9.]+ KiB in use", text);
        Assert.Contains("DoReceive", text, StringComparison.Ordinal);
        Assert.Contains("pool 'kestrel' on 'kestrel': ", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/html,application/xhtml+xml,*/*;q=0.8", "text/html")]
    [InlineData("application/json", "application/json")]
    [InlineData("*/*", "text/plain")]
    [InlineData("", "text/plain")]
    public async Task A_browser_gets_a_page_a_program_JSON_and_a_terminal_text(string accept, string type)
    {
        await using Served served = await Served.StartAsync();
        using HttpRequestMessage request = new(HttpMethod.Get, "/debug/holders");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage answer = await served.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
        Assert.True(answer.Headers.CacheControl!.NoStore);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
    }

    [Fact]
    public async Task The_page_is_whole_escaped_and_asks_for_nothing_else()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = Nasty });
        using IDisposable tracking = Holders.Track();
        Page kept = allocator.Allocate();
        await using Served served = await Served.StartAsync(static options => options.AllowTracking = true);
        string page = await served.GetAsync("/debug/holders?format=html");
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;&quot;", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("(src|@import|url\\()", page);
        Assert.DoesNotMatch("https?:", page);
        Assert.Contains("width=device-width", page, StringComparison.Ordinal);
        Assert.Contains("HoldersEndpointTests.cs:", page, StringComparison.Ordinal);
        Assert.Contains("<form method=\"post\">", page, StringComparison.Ordinal);

        // Every element that must be closed is, in order; those that HTML closes by itself are left out.
        Stack<string> open = [];
        foreach (Match tag in Tags().Matches(page))
        {
            string name = tag.Groups[2].Value;
            if (tag.Groups[1].Length == 0)
            {
                open.Push(name);
            }
            else
            {
                Assert.Equal(open.Pop(), name);
            }
        }

        Assert.Empty(open);
        kept.Put();
    }

    [Theory]
    [InlineData("10.1.2.3", "localhost", null, HttpStatusCode.NotFound)]
    [InlineData("2001:db8::1", "localhost", null, HttpStatusCode.NotFound)]
    [InlineData("127.0.0.1", "evil.example", null, HttpStatusCode.NotFound)]
    [InlineData("127.0.0.1", "localhost.evil.example", null, HttpStatusCode.NotFound)]
    [InlineData("127.0.0.1", "localhost", "X-Forwarded-For", HttpStatusCode.NotFound)]
    [InlineData("127.0.0.1", "localhost", "Forwarded", HttpStatusCode.NotFound)]
    [InlineData("127.0.0.1", "localhost:5000", null, HttpStatusCode.OK)]
    [InlineData("127.0.0.9", "127.0.0.1", null, HttpStatusCode.OK)]
    [InlineData("::1", "[::1]:80", null, HttpStatusCode.OK)]
    [InlineData("::ffff:127.0.0.1", "LOCALHOST", null, HttpStatusCode.OK)]
    public async Task Only_clients_on_this_machine_that_ask_for_it_by_its_own_name_see_the_page(string from, string host, string? header, HttpStatusCode expected)
    {
        await using Served served = await Served.StartAsync(null, IPAddress.Parse(from));
        foreach (HttpMethod method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Post])
        {
            using HttpRequestMessage request = new(method, "/debug/holders");
            request.Headers.Host = host;
            if (header is not null)
            {
                request.Headers.Add(header, "for=10.0.0.1");
            }

            using HttpResponseMessage answer = await served.Client.SendAsync(request);
            Assert.Equal(expected == HttpStatusCode.OK && method == HttpMethod.Post ? HttpStatusCode.Forbidden : expected, answer.StatusCode);
            Assert.False(Holders.IsTracking);
        }
    }

    [Fact]
    public async Task Allowed_for_all_it_is_seen_from_elsewhere()
    {
        await using Served served = await Served.StartAsync(static options => options.AllowRemote = true, IPAddress.Parse("10.1.2.3"));
        Assert.StartsWith("ledger: off", await served.GetAsync("/debug/holders"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_post_switches_the_ledger_on_for_the_time_asked_for_and_no_longer()
    {
        await using Served served = await Served.StartAsync(static options => options.AllowTracking = true);
        long asked = Stopwatch.GetTimestamp();
        using HttpResponseMessage on = await served.Client.PostAsync("/debug/holders?seconds=1", null);
        bool isOn = Holders.IsTracking;
        Assert.Equal(HttpStatusCode.OK, on.StatusCode);
        Assert.True(isOn || Stopwatch.GetElapsedTime(asked) >= TimeSpan.FromSeconds(1), "the ledger is not on");
        Assert.Contains("asked for through the page of holders by 127.0.0.1", Assert.Single(served.Log.Of(5)), StringComparison.Ordinal);
        Assert.True(SpinWait.SpinUntil(static () => !Holders.IsTracking, TimeSpan.FromMinutes(1)), "the ledger stayed on");
        using HttpResponseMessage longer = await served.Client.PostAsync("/debug/holders?seconds=60", null);
        Assert.True(Holders.IsTracking);
        Assert.StartsWith("ledger: on, from here for ", await longer.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        // As the page's form does it: back to the page.
        using FormUrlEncodedContent form = new([new("seconds", "60")]);
        using HttpRequestMessage request = new(HttpMethod.Post, "/debug/holders") { Content = form };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/html"));
        request.Headers.Add("Origin", served.Client.BaseAddress!.GetLeftPart(UriPartial.Authority));
        using HttpResponseMessage back = await served.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.SeeOther, back.StatusCode);
        Assert.Equal("/debug/holders", back.Headers.Location!.OriginalString);
        Assert.True(Holders.IsTracking);
        await served.StopAsync();
        Assert.False(Holders.IsTracking, "the application ended, and the ledger stayed on");
    }

    [Theory]
    [InlineData(true, "?seconds=0", null, HttpStatusCode.BadRequest)]
    [InlineData(true, "?seconds=301", null, HttpStatusCode.BadRequest)]
    [InlineData(true, "?seconds=-5", null, HttpStatusCode.BadRequest)]
    [InlineData(true, "?seconds=soon", null, HttpStatusCode.BadRequest)]
    [InlineData(true, "", null, HttpStatusCode.BadRequest)]
    [InlineData(true, "?seconds=60", "https://evil.example", HttpStatusCode.Forbidden)]
    [InlineData(true, "?seconds=60", "null", HttpStatusCode.Forbidden)]
    [InlineData(false, "?seconds=60", null, HttpStatusCode.Forbidden)]
    public async Task A_post_that_is_wrong_comes_from_another_site_or_is_not_allowed_switches_nothing_on(bool allowed, string query, string? origin, HttpStatusCode expected)
    {
        await using Served served = await Served.StartAsync(options => options.AllowTracking = allowed);
        using HttpRequestMessage request = new(HttpMethod.Post, "/debug/holders" + query);
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using HttpResponseMessage answer = await served.Client.SendAsync(request);
        Assert.Equal(expected, answer.StatusCode);
        Assert.False(Holders.IsTracking);
    }

    [Fact]
    public async Task It_is_there_only_where_it_was_mapped()
    {
        await using Served served = await Served.StartAsync(null, null, "/ops/memory");
        Assert.StartsWith("ledger: off", await served.GetAsync("/ops/memory"), StringComparison.Ordinal);
        using HttpResponseMessage elsewhere = await served.Client.GetAsync("/debug/holders");
        Assert.Equal(HttpStatusCode.NotFound, elsewhere.StatusCode);
    }

    [GeneratedRegex("<(/?)(html|head|title|style|body|h1|h2|p|form|label|button|div|i|b|a|table|thead|tbody|details|summary|pre)[ >]")]
    private static partial Regex Tags();

    /// <summary>An application with the page, on Quire's pool; its clients seem to come from wherever the test wants.</summary>
    private sealed class Served : IAsyncDisposable
    {
        private readonly WebApplication _app;

        private Served(Action<QuireHoldersOptions>? configure, IPAddress? from, string pattern)
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders().AddProvider(Log);
            builder.WebHost.ConfigureKestrel(static server => server.Listen(IPAddress.Loopback, 0)).UseQuireMemoryPool();
            _app = builder.Build();
            _app.Use((context, next) =>
            {
                context.Connection.RemoteIpAddress = from ?? context.Connection.RemoteIpAddress;
                return next(context);
            });
            _app.UseRouting();
            _app.MapQuireHolders(pattern, configure);
        }

        internal RecordedLog Log { get; } = new();

        internal HttpClient Client { get; private set; } = null!;

        internal static async Task<Served> StartAsync(Action<QuireHoldersOptions>? configure = null, IPAddress? from = null, string pattern = "/debug/holders")
        {
            Served served = new(configure, from, pattern);
            await served._app.StartAsync();
            served.Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(served._app.Urls.First()) };
            return served;
        }

        internal async Task<string> GetAsync(string path)
        {
            using HttpResponseMessage answer = await Client.GetAsync(path);
            string text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}: {text}");
            return text;
        }

        internal Task StopAsync() => _app.StopAsync();

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await _app.DisposeAsync();
        }
    }
}
