using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Xml.Linq;
using Quire.Packages.Tests.Packing;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Packages.Tests;

/// <summary>What is in each package, and what must not be.</summary>
public class PackageContentTests(PackedQuire packed)
{
    private static readonly string[] s_ids = ["Quire", "Quire.AspNetCore", "Quire.Traces", "Quire.Tool"];

    /// <summary>The packages.</summary>
    public static TheoryData<string> Ids => [.. s_ids];

    /// <summary>Those that are libraries.</summary>
    public static TheoryData<string> Libraries => [.. s_ids.Where(static id => id != "Quire.Tool")];

    [Fact]
    public void Packing_the_solution_gives_these_packages_and_no_other()
    {
        string[] files = [.. Directory.EnumerateFiles(packed.Packages).Select(static file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];
        Assert.Equal(s_ids.SelectMany(id => (string[])[$"{id}.{packed.Version}.nupkg", $"{id}.{packed.Version}.snupkg"]).Order(StringComparer.Ordinal), files);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_package_has_its_README_the_licence_and_says_what_it_is(string id)
    {
        using ZipArchive package = packed.Open(id);
        XElement metadata = XDocument.Parse(Text(package, $"{id}.nuspec")).Root!.Elements().Single();
        string Of(string name) => metadata.Elements().Single(element => element.Name.LocalName == name).Value;

        Assert.Equal("MIT", Of("license"));
        Assert.Equal("README.md", Of("readme"));
        Assert.Equal("The Quire authors", Of("authors"));
        Assert.True(Of("description").Length > 40);
        Assert.DoesNotContain(metadata.Elements(), static element => element.Name.LocalName == "projectUrl" || element.Attribute("url") is not null);
        Assert.StartsWith("MIT License", Text(package, "LICENSE"), StringComparison.Ordinal);
        Assert.True(Text(package, "README.md").Length > 200);
        Assert.DoesNotContain(metadata.Descendants(), static element => element.Name.LocalName == "dependency" && !element.Attribute("id")!.Value.StartsWith("Quire", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_library_has_its_documentation_and_is_marked_for_trimming_and_native_compilation(string id)
    {
        using ZipArchive package = packed.Open(id);
        string documentation = Text(package, $"lib/net10.0/{id}.xml");
        Assert.Contains("<summary>", documentation, StringComparison.Ordinal);
        Assert.Contains($"<name>{id}</name>", documentation, StringComparison.Ordinal);

        byte[] assembly = Bytes(package, $"lib/net10.0/{id}.dll");
        using PEReader file = new(new MemoryStream(assembly));
        MetadataReader reader = file.GetMetadataReader();
        string[] marks =
        [
            .. reader.CustomAttributes.Select(reader.GetCustomAttribute)
                .Where(static attribute => attribute.Parent.Kind == HandleKind.AssemblyDefinition)
                .Select(attribute => Encoding.UTF8.GetString(reader.GetBlobBytes(attribute.Value))),
        ];
        Assert.Contains(marks, static mark => mark.Contains("IsTrimmable", StringComparison.Ordinal) && mark.Contains("True", StringComparison.Ordinal));
        Assert.Contains(marks, static mark => mark.Contains("IsAotCompatible", StringComparison.Ordinal) && mark.Contains("True", StringComparison.Ordinal));
        Assert.Contains(file.ReadDebugDirectory(), static entry => entry.Type == DebugDirectoryEntryType.Reproducible);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Symbols_are_portable_belong_to_the_assembly_and_name_no_folder_of_the_machine(string id)
    {
        string folder = id == "Quire.Tool" ? "tools/net10.0/any" : "lib/net10.0";
        string name = id == "Quire.Tool" ? "Quire.Cli" : id;
        using ZipArchive package = packed.Open(id);
        using ZipArchive symbols = packed.Open(id, "snupkg");
        byte[] pdb = Bytes(symbols, $"{folder}/{name}.pdb");
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(pdb));
        MetadataReader reader = provider.GetMetadataReader();
        string[] documents = [.. reader.Documents.Select(handle => reader.GetString(reader.GetDocument(handle).Name))];
        Assert.NotEmpty(documents);
        Assert.All(documents, static document => Assert.Matches(@"^(\./|/_/)", document));

        using PEReader file = new(new MemoryStream(Bytes(package, $"{folder}/{name}.dll")));
        DebugDirectoryEntry entry = file.ReadDebugDirectory()
            .Single(static entry => entry.Type == DebugDirectoryEntryType.CodeView);
        Assert.Equal(new BlobContentId(reader.DebugMetadataHeader!.Id).Guid, file.ReadCodeViewDebugDirectoryData(entry).Guid);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void No_file_of_a_package_has_a_path_of_the_machine_that_packed_it(string id)
    {
        string[] paths = [SourceModel.Root(), packed.Packages, Path.GetDirectoryName(packed.Packages)!, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + "/"];
        foreach (string extension in (string[])["nupkg", "snupkg"])
        {
            using ZipArchive package = packed.Open(id, extension);
            foreach (ZipArchiveEntry entry in package.Entries.Where(static entry => Path.GetFileName(entry.FullName).StartsWith("Quire", StringComparison.Ordinal) || !entry.FullName.EndsWith(".dll", StringComparison.Ordinal)))
            {
                byte[] bytes = Bytes(package, entry.FullName);
                foreach (string path in paths.Where(static path => path.Length > 3))
                {
                    Assert.True(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(path)) < 0, $"{entry.FullName} has {path}");
                    Assert.True(bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(path)) < 0, $"{entry.FullName} has {path}");
                }
            }
        }
    }

    [Fact]
    public void The_analyzers_and_their_fixes_are_in_the_library_s_package_and_come_with_the_one_for_servers_too()
    {
        using ZipArchive package = packed.Open("Quire");
        Assert.Equal(
            ["analyzers/dotnet/cs/Quire.Analyzers.CodeFixes.dll", "analyzers/dotnet/cs/Quire.Analyzers.dll"],
            package.Entries.Select(static entry => entry.FullName).Where(static name => name.StartsWith("analyzers/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

        using ZipArchive server = packed.Open("Quire.AspNetCore");
        XElement dependency = XDocument.Parse(Text(server, "Quire.AspNetCore.nuspec")).Descendants().Single(static element => element.Name.LocalName == "dependency");
        Assert.Equal(("Quire", packed.Version), (dependency.Attribute("id")!.Value, dependency.Attribute("version")!.Value));
        Assert.DoesNotContain("Analyzers", dependency.Attribute("exclude")?.Value ?? "", StringComparison.Ordinal);
    }

    private static byte[] Bytes(ZipArchive package, string entry)
    {
        using Stream stream = (package.GetEntry(entry) ?? throw new Xunit.Sdk.XunitException($"{entry} is missing; there are: {string.Join(", ", package.Entries.Select(static one => one.FullName))}")).Open();
        using MemoryStream copy = new();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    private static string Text(ZipArchive package, string entry)
    {
        using StreamReader reader = new(new MemoryStream(Bytes(package, entry)));
        return reader.ReadToEnd();
    }
}
