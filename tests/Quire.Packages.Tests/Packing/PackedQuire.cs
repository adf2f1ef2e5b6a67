using System.IO.Compression;
using Quire.Tests;
using Quire.Tests.Architecture;
using Xunit;

[assembly: AssemblyFixture(typeof(Quire.Packages.Tests.Packing.PackedQuire))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Quire.Packages.Tests.Packing;

/// <summary>
/// The packages, made once for all tests, in a folder of their own: with objects of their own, so no other build of the working tree is disturbed or trusted, and
/// with a version that nobody else has, so no package of an earlier run can be taken for them.
/// </summary>
public sealed class PackedQuire : IDisposable
{
    /// <summary>For one call of dotnet: a machine that does much else needs minutes for what else takes seconds.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(15);

    private readonly Lazy<string> _packages;
    private readonly string _root = Directory.CreateTempSubdirectory("quire-packages-").FullName;

    /// <summary>Packs nothing yet.</summary>
    public PackedQuire() => _packages = new Lazy<string>(Pack);

    /// <summary>Version of all packages.</summary>
    public string Version { get; } = $"0.1.0-test.{DateTime.UtcNow:yyyyMMddHHmmss}.{Environment.ProcessId}";

    /// <summary>The folder with the packages: the one source from which the tests' projects get them.</summary>
    internal string Packages => _packages.Value;

    /// <summary>A folder outside the repository, where no settings of it reach. Deleted at the end.</summary>
    internal string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(_root, $"{name}-{Path.GetRandomFileName()}")).FullName;

    /// <summary>One package opened for reading.</summary>
    internal ZipArchive Open(string id, string extension = "nupkg") => ZipFile.OpenRead(Path.Combine(Packages, $"{id}.{Version}.{extension}"));

    /// <summary>Runs <c>dotnet</c> in a folder, away from the caller's build and from packages that are installed; answers what it printed.</summary>
    internal string Dotnet(string folder, params string[] arguments)
    {
        (int status, string output) = TryDotnet(folder, arguments);
        Assert.True(status == 0, $"dotnet {string.Join(' ', arguments)} ended with {status}:\n{output}");
        return output;
    }

    /// <summary>As <see cref="Dotnet"/>, but a failure is an answer too.</summary>
    internal (int Status, string Output) TryDotnet(string folder, params string[] arguments)
    {
        using ChildProcess dotnet = new(Start(folder, arguments));
        int status = dotnet.WaitForExit(s_patience);
        return (status, dotnet.Output + dotnet.Error);
    }

    /// <summary>A call of <c>dotnet</c>, ready to start.</summary>
    internal System.Diagnostics.ProcessStartInfo Start(string folder, params string[] arguments)
    {
        System.Diagnostics.ProcessStartInfo start = new("dotnet", arguments) { WorkingDirectory = folder };

        // dotnet test tells its children which SDK and which extensions to use; a user's shell does not.
        foreach (string name in start.Environment.Keys.Where(static name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(name);
        }

        start.Environment["NUGET_PACKAGES"] = Path.Combine(_root, "installed");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        return start;
    }

    /// <summary>Deletes everything.</summary>
    public void Dispose()
    {
        try
        {
            Directory.Delete(_root, recursive: true);
        }
        catch (Exception inUse) when (inUse is IOException or UnauthorizedAccessException)
        {
            // A straggler of a build still writes there. No test's failure.
        }
    }

    private string Pack()
    {
        string packages = Path.Combine(_root, "packages");
        System.Diagnostics.ProcessStartInfo start = Start(
            SourceModel.Root(), "pack", "Quire.slnx", "-c", "Release", "-o", packages, "--artifacts-path", Path.Combine(_root, "artifacts"), $"-p:Version={Version}",
            // The build itself has looked; here it would only take time.
            "-p:RunAnalyzers=false");

        // What the build itself references is where every build has it.
        start.Environment.Remove("NUGET_PACKAGES");
        using ChildProcess pack = new(start);
        int status = pack.WaitForExit(s_patience);
        Assert.True(status == 0, $"dotnet pack ended with {status}:\n{pack.Output}{pack.Error}");
        return packages;
    }
}
