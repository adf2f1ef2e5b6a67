using System.IO.Compression;
using Quire.Packages.Tests.Packing;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Packages.Tests;

/// <summary>The packages in a new console project, as a user would begin.</summary>
public class ConsoleProjectTests(PackedQuire packed)
{
    [Fact]
    public void A_new_project_with_the_package_builds_without_a_warning_and_runs_the_code_of_the_README_and_of_the_package()
    {
        UserProject project = new(packed, "console", "Reader", "Quire");
        project.Write(UserProject.FirstBlock(File.ReadAllText(Path.Combine(SourceModel.Root(), "README.md"))));
        Assert.Empty(project.Build());
        Assert.Matches(@"page 0x[0-9a-f]+: 1 reference \(fragment, 1\.4 KiB\) Program\.cs:8 <Main>\$, ", project.Run());

        project.Write(UserProject.FirstBlock(ReadMe("Quire")));
        Assert.Empty(project.Build());
        Assert.Matches(@"page 0x[0-9a-f]+: 1 reference \(fragment, 1\.4 KiB\) Program\.cs:4 <Main>\$, ", project.Run());
    }

    [Fact]
    public void The_analysis_reads_a_kernel_s_trace_in_a_new_project()
    {
        UserProject project = new(packed, "console", "Analyst", "Quire.Traces");
        project.Write(UserProject.FirstBlock(ReadMe("Quire.Traces")));
        Assert.Empty(project.Build());
        File.Copy(Path.Combine(SourceModel.Root(), "tests/Quire.Traces.Tests/Data/kernel/s2-vmsplice-pipe/trace.dat"), Path.Combine(project.Folder, "trace.dat"));
        Assert.StartsWith("busy: ", project.Run(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_leak_in_the_user_s_code_is_a_warning_of_the_package_s_analyzers()
    {
        UserProject project = new(packed, "console", "Leaky", "Quire");
        project.Write("""
            using Quire;

            Receiver.Receive();

            static class Receiver
            {
                public static void Receive()
                {
                    PageFragmentCache.Current.Allocate(1472);
                    PageFragment kept = PageFragmentCache.Current.Allocate(1472, out Span<byte> bytes);
                    bytes.Fill(0x2a);
                }
            }
            """);
        Assert.Collection(
            project.Build().OrderBy(static warning => warning.Contains("QUIRE001", StringComparison.Ordinal)),
            static dropped => Assert.Matches(@"Program\.cs\(9,\d+\): warning QUIRE008: ", dropped),
            static kept => Assert.Matches(@"Program\.cs\(10,\d+\): warning QUIRE001: ", kept));
    }

    private string ReadMe(string id)
    {
        using ZipArchive package = packed.Open(id);
        using StreamReader text = new(package.GetEntry("README.md")!.Open());
        return text.ReadToEnd();
    }
}
