using System.Text.Json;
using Quire.Packages.Tests.Packing;
using Quire.Tests;
using Xunit;

namespace Quire.Packages.Tests;

/// <summary>The command, installed from its package.</summary>
public class ToolTests(PackedQuire packed)
{
    [Fact]
    public void The_tool_installs_from_the_folder_says_its_version_and_runs_the_demo()
    {
        string folder = packed.NewFolder("tool");
        packed.Dotnet(folder, "tool", "install", "--tool-path", folder, "Quire.Tool", "--version", packed.Version, "--source", packed.Packages);

        Assert.StartsWith(packed.Version, Quire(folder, "--version"), StringComparison.Ordinal);
        JsonElement demo = JsonDocument.Parse(Quire(folder, "demo", "--seconds", "1", "--json")).RootElement;
        Assert.True(demo.GetProperty("datagrams").GetInt64() > 0);
        Assert.Equal("busy", demo.GetProperty("first_attempt").GetProperty("result").GetString());
        Assert.Equal("Audit", demo.GetProperty("first_attempt").GetProperty("busy_pages")[0].GetProperty("holders")[0].GetProperty("member").GetString());
        Assert.Equal("success", demo.GetProperty("second_attempt").GetProperty("result").GetString());
        Assert.Equal(0, demo.GetProperty("pages_held_at_end").GetInt64());
        Assert.Equal(0, demo.GetProperty("faults").GetArrayLength());
    }

    private string Quire(string folder, params string[] arguments)
    {
        System.Diagnostics.ProcessStartInfo start = packed.Start(folder, arguments);
        start.FileName = Path.Combine(folder, "quire");
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../.."));
        using ChildProcess quire = new(start);
        int status = quire.WaitForExit(TimeSpan.FromMinutes(2));
        Assert.True(status == 0, $"quire {string.Join(' ', arguments)} ended with {status}:\n{quire.Output}{quire.Error}");
        return quire.Output;
    }
}
