using System.IO.Compression;
using System.Net.Http.Json;
using System.Text.Json;
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

        project.Write(UserProject.FirstBlock(await readMe.ReadToEndAsync()));
        Assert.Empty(project.Build());

        System.Diagnostics.ProcessStartInfo start = packed.Start(project.Folder, Path.Combine(project.Folder, "bin", "Release", "net10.0", "Server.dll"), "--urls", "http://127.0.0.1:0");
        using ChildProcess server = new(start);
        Match address = Match.Empty;
        Assert.True(SpinWait.SpinUntil(() => (address = Address().Match(server.Output)).Success || server.HasExited, TimeSpan.FromMinutes(3)) && address.Success, server.Output + server.Error);

        using HttpClient client = new() { BaseAddress = new Uri(address.Groups[1].Value) };
        Assert.Equal("Hello from pages.", await client.GetStringAsync("/"));

        JsonElement report = await client.GetFromJsonAsync<JsonElement>("/debug/holders?format=json");
        Assert.True(report.GetProperty("tracking").GetBoolean(), report.ToString());
        Assert.Contains(report.GetProperty("pools").EnumerateArray(), static pool => pool.GetProperty("name").GetString() == "kestrel");

        server.Signal(ChildProcess.SigTerm);
        Assert.True(server.WaitForExit(TimeSpan.FromSeconds(60)) == 0, server.Output + server.Error);
        Assert.DoesNotMatch(Warning(), server.Output);
        Assert.DoesNotContain("fail:", server.Output, StringComparison.Ordinal);
    }

    /// <summary>Any but Kestrel's own, that its heartbeat came late: the machine has other work to do.</summary>
    [GeneratedRegex(@"(?m)^warn: (?!Microsoft\.AspNetCore\.Server\.Kestrel\[22\])")]
    private static partial Regex Warning();

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Address();
}
