using System.IO.Compression;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Quire.Packages.Tests.Packing;
using Quire.Tests;
using Xunit;

namespace Quire.Packages.Tests;

/// <summary>The package for servers in a new web project.</summary>
public partial class WebProjectTests(PackedQuire packed)
{
    [Fact]
    public async Task A_new_web_project_with_the_package_s_README_serves_requests_out_of_pages()
    {
        UserProject project = new(packed, "web", "Server", "Quire.AspNetCore");
        using ZipArchive package = packed.Open("Quire.AspNetCore");
        using StreamReader readMe = new(package.GetEntry("README.md")!.Open());

        // Where the bytes of a request lie: a question for the test, asked of the README's own server.
        const string Question = """
            app.MapPost("/", async (HttpRequest request) =>
            {
                System.IO.Pipelines.ReadResult read = await request.BodyReader.ReadAsync();
                string where = PageMemory.TryGetOwner(read.Buffer.First, out PageMemory? owner, out _, out _) ? owner.Page.ToString() : "no page";
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return where;
            });
            app.Run();
            """;
        project.Write(UserProject.FirstBlock(await readMe.ReadToEndAsync()).Replace("app.Run();", Question, StringComparison.Ordinal));
        Assert.Empty(project.Build());

        System.Diagnostics.ProcessStartInfo start = packed.Start(project.Folder, Path.Combine(project.Folder, "bin", "Release", "net10.0", "Server.dll"), "--urls", "http://127.0.0.1:0");
        using ChildProcess server = new(start);
        Match address = Match.Empty;
        Assert.True(SpinWait.SpinUntil(() => (address = Address().Match(server.Output)).Success || server.HasExited, TimeSpan.FromSeconds(60)) && address.Success, server.Output + server.Error);

        using HttpClient client = new() { BaseAddress = new Uri(address.Groups[1].Value) };
        Assert.Equal("Hello from pages.", await client.GetStringAsync("/"));
        using HttpResponseMessage answer = await client.PostAsJsonAsync("/", "bytes");
        Assert.Contains("page 0x", await answer.Content.ReadAsStringAsync(), StringComparison.OrdinalIgnoreCase);

        server.Signal(ChildProcess.SigTerm);
        Assert.True(server.WaitForExit(TimeSpan.FromSeconds(60)) == 0, server.Output + server.Error);
        Assert.DoesNotContain("warn:", server.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("fail:", server.Output, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Address();
}
